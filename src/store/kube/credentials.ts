/**
 * How to reach the API server and who we are to it: found out by a process of its own that ends at once, since the
 * library that reads kubeconfigs costs eight megabytes where it is loaded.
 *
 * It is asked again when a file that it has read is another by now, when a token is about to expire, and when the
 * server does not take what it told.
 *
 * @module
 */
import { statSync } from 'node:fs';
import * as v from 'valibot';
import type { Clock } from '../../model/clock.ts';
import { printable } from '../../model/printable.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';

const text = v.pipe(v.string(), v.maxLength(1 << 20));
const maybe = v.optional(text);

const credentialsSchema = v.object({
  /** A base URL without a slash at its end. */
  server: v.pipe(text, v.regex(/^https?:\/\//)),
  ca: maybe,
  cert: maybe,
  key: maybe,
  /** The value of the header Authorization. */
  authorization: maybe,
  /** The name in the server's certificate, if it is not that of the URL. */
  serverName: maybe,
  proxy: maybe,
  /** The kubeconfig asks not to check the server's certificate. */
  insecure: v.optional(v.boolean(), false),
  /** When the token expires, in milliseconds since the epoch. */
  expiresAtMs: v.optional(v.number()),
  /** What all this was read from: if one of these changes, it is read again. */
  files: v.pipe(v.array(text), v.maxLength(16)),
});

/** What the child tells. Certificates and keys are PEM. */
export type Credentials = v.InferOutput<typeof credentialsSchema>;

/** What the child's standard output holds, as one line of JSON. */
const answerSchema = v.variant('kind', [
  v.object({ kind: v.literal('credentials'), credentials: credentialsSchema }),
  /** There is nothing to read yet. */
  v.object({ kind: v.literal('missing'), message: text }),
  v.object({ kind: v.literal('invalid'), message: text }),
]);

/** The child's answer. */
export type CredentialsAnswer = v.InferOutput<typeof answerSchema>;

/** The command that the child is started with; it is for nobody else. */
export const CREDENTIALS_COMMAND = 'kube-credentials';

/** Exec plugins may ask a server of their own. */
const CHILD_TIMEOUT_MS = 60_000;

/** A token is renewed that long before its end. */
const EXPIRY_MARGIN_MS = 60_000;

/** What is not taken by the server is read again after this long, and if it is the same, less and less often. */
const RENEW_PAUSE_MS = { first: 1_000, longest: 60_000 } as const;

/** What a {@link CredentialSource} needs. */
export interface CredentialSourceOptions {
  /** The program and its first arguments, to which the command is added; by default this process's own. */
  readonly command?: readonly string[];
  readonly kubeconfig: string | undefined;
  readonly clock: Clock;
}

/** The credentials that are in use. */
export class CredentialSource {
  readonly #options: CredentialSourceOptions;
  #known: { readonly credentials: Credentials; readonly state: string } | undefined;
  #asking: Promise<Result<Credentials, Problem>> | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isDoubted = false;
  /** How often the same was read again in a row. */
  #sames = 0;

  constructor(options: CredentialSourceOptions) {
    this.#options = options;
  }

  /** What the credentials that are in use were read from. */
  get files(): readonly string[] {
    return this.#known?.credentials.files ?? [];
  }

  /** The server has not taken them, or is not whom they say: they are read again, if they may be others by now. */
  doubt(): void {
    this.#isDoubted = true;
  }

  /** The credentials as they are now. Those that are at hand cost nothing but a look at their files. */
  async get(): Promise<Result<Credentials, Problem>> {
    const known = this.#known;
    if (known !== undefined && !this.#isStale(known)) return ok(known.credentials);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  #isStale({ credentials, state }: { credentials: Credentials; state: string }): boolean {
    const { clock } = this.#options;
    if (stateOf(credentials.files) !== state) return true;
    const pauseMs = Math.min(RENEW_PAUSE_MS.longest, RENEW_PAUSE_MS.first * 2 ** this.#sames);
    const isPaused = clock.monotonicMs() - this.#askedMs < pauseMs;
    const { expiresAtMs } = credentials;
    const isExpiring = expiresAtMs !== undefined && expiresAtMs - EXPIRY_MARGIN_MS < clock.nowMs();
    return !isPaused && (this.#isDoubted || isExpiring);
  }

  async #ask(): Promise<Result<Credentials, Problem>> {
    this.#askedMs = this.#options.clock.monotonicMs();
    this.#isDoubted = false;
    const answer = await this.#runChild();
    if (!answer.ok) return answer;
    switch (answer.value.kind) {
      case 'credentials': {
        const { credentials } = answer.value;
        const isSame = JSON.stringify(credentials) === JSON.stringify(this.#known?.credentials);
        this.#sames = isSame ? this.#sames + 1 : 0;
        this.#known = { credentials, state: stateOf(credentials.files) };
        return ok(credentials);
      }
      case 'missing':
        return fail(problem('credentials-missing', printable(answer.value.message)));
      case 'invalid':
        return fail(problem('credentials-invalid', printable(answer.value.message)));
    }
  }

  async #runChild(): Promise<Result<CredentialsAnswer, Problem>> {
    const { command = ownCommand(), kubeconfig } = this.#options;
    const args = kubeconfig === undefined ? [] : [kubeconfig];
    let output: string;
    try {
      const child = Bun.spawn([...command, CREDENTIALS_COMMAND, ...args], {
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'ignore',
        timeout: CHILD_TIMEOUT_MS,
      });
      output = await child.stdout.text();
      await child.exited;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return fail(
        problem('credentials-invalid', `Cannot start the reader of Kubernetes credentials: ${reason}`),
      );
    }
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), answerSchema), output);
    if (parsed.success) return ok(parsed.output);
    return fail(
      problem('credentials-invalid', 'The reader of Kubernetes credentials ended without an answer'),
    );
  }
}

/** This program, even if its file was replaced meanwhile (proc(5), `/proc/self/exe`). */
function ownCommand(): readonly string[] {
  return Bun.main.startsWith('/$bunfs/') ? ['/proc/self/exe'] : [process.execPath, Bun.main];
}

/** What tells the contents of files apart without reading them; projected volumes swap a symbolic link. */
function stateOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? '-' : `${stat.dev}:${stat.ino}:${stat.mtimeNs}:${stat.size}`;
    })
    .join(' ');
}
