/**
 * The API server of one Node: takes patches as a strategic merge does, or refuses, and lets others meddle.
 *
 * @module
 */
import type { Clock } from '../../../../src/model/clock.ts';
import { fail, ok, type Result } from '../../../../src/model/result.ts';
import { KubeApi, type KubeRequest } from '../../../../src/store/kube/api.ts';
import { CredentialSource } from '../../../../src/store/kube/credentials.ts';
import type { KubeFailure } from '../../../../src/store/kube/failure.ts';
import { readSingle } from '../../../../src/store/kube/message.ts';
import type { KubeNode } from '../../../../src/store/kube/node.ts';
import { sure } from '../samples.ts';
import { filterOf, nodeBytes, wrapped } from './wire.ts';

interface PatchBody {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string | null>> };
  readonly status?: { readonly conditions?: readonly Readonly<Record<string, string>>[] };
}

/** See the module. Nothing is sent anywhere. */
export class FakeApi extends KubeApi {
  readonly #clock: Clock;
  /** With their prefixes. */
  annotations: Record<string, string> = {};
  condition: readonly [type: string, status: string, reason: string] | undefined;
  /** Every patch, and when it came. */
  readonly patches: { readonly atMs: number; readonly request: KubeRequest; readonly body: PatchBody }[] = [];
  /** What every patch is answered with. */
  failure: KubeFailure | undefined;
  /** What a patch is answered with in place of the Node. */
  rubbish: Buffer | undefined;
  /** Called once a patch was taken, before it is answered. */
  meddle: () => void = () => undefined;
  #version = 1;

  constructor(clock: Clock) {
    const credentials = new CredentialSource({ kubeconfig: undefined, clock });
    super({ credentials, apiUrl: 'http://127.0.0.1:1', clock, onUse: () => undefined });
    this.#clock = clock;
  }

  /** The pauses between the patches, in milliseconds. */
  get pauses(): number[] {
    return this.patches.slice(1).map(({ atMs }, i) => atMs - (this.patches[i]?.atMs ?? 0));
  }

  /** The Node as a watch tells it. */
  node(): KubeNode {
    return sure(readSingle(this.#bytes(), filterOf()), 'Node');
  }

  override async ask(request: KubeRequest): Promise<Result<Buffer, KubeFailure>> {
    const body: PatchBody = JSON.parse(request.patch ?? '{}');
    this.patches.push({ atMs: this.#clock.monotonicMs(), request, body });
    await Promise.resolve();
    if (this.failure !== undefined) return fail(this.failure);
    for (const [name, value] of Object.entries(body.metadata?.annotations ?? {})) {
      if (value === null) delete this.annotations[name];
      else this.annotations[name] = value;
    }
    for (const { type = '', status = '', reason = '' } of body.status?.conditions ?? [])
      this.condition = [type, status, reason];
    this.meddle();
    return ok(this.rubbish ?? this.#bytes());
  }

  #bytes(): Buffer {
    const { annotations, condition } = this;
    const conditions = condition === undefined ? [] : [condition];
    const version = String(++this.#version);
    return wrapped('Node', nodeBytes({ name: 'me', version, annotations, conditions }));
  }
}
