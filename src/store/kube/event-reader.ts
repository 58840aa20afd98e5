/**
 * What comes of one watch: its messages, put together and told.
 *
 * @module
 */
import { type Asked, failureOfForm, failureOfStatus, type KubeFailure } from './failure.ts';
import { FrameSplitter } from './frames.ts';
import { readEvent, type WatchEvent } from './message.ts';
import type { KubeNode, NodeFilter } from './node.ts';

/** Who hears of Nodes. */
export interface NodeSink {
  /** A Node is there, or has changed. */
  put(node: KubeNode): void;
  gone(name: string): void;
  /** A list is complete: what is not in it is not there. */
  listed(names: ReadonlySet<string>): void;
}

/** What an {@link EventReader} needs. */
export interface EventReaderOptions {
  readonly filter: NodeFilter;
  readonly sink: NodeSink;
  /** Whether the watch begins with a list. */
  readonly isList: boolean;
}

/** See the module. */
export class EventReader {
  readonly #filter: NodeFilter;
  readonly #sink: NodeSink;
  readonly #frames = new FrameSplitter();
  /** The names that the list has told; `undefined` once it is complete. */
  #names: Set<string> | undefined;
  #version: string | undefined;
  #failure: KubeFailure | undefined;

  constructor({ filter, sink, isList }: EventReaderOptions) {
    this.#filter = filter;
    this.#sink = sink;
    this.#names = isList ? new Set() : undefined;
  }

  /** Whether the list is complete. */
  get isListed(): boolean {
    return this.#names === undefined;
  }

  /** Whether nothing is left over of a message. */
  get isComplete(): boolean {
    return !this.#frames.isInside;
  }

  /** Up to which everything was told. */
  get version(): string | undefined {
    return this.#version;
  }

  /** Takes what has arrived; gives back why it is to be the last. */
  push(chunk: Uint8Array, asked: Asked): KubeFailure | undefined {
    const isWhole = this.#frames.push(chunk, (bytes, at, end) => {
      if (this.#failure !== undefined) return;
      const event = readEvent(bytes, { at, end }, this.#filter);
      if (event === undefined) this.#failure = failureOfForm('a message that cannot be read', asked);
      else this.#take(event, asked);
    });
    if (!isWhole) return failureOfForm('a message that is too large', asked);
    return this.#failure;
  }

  #take(event: WatchEvent, asked: Asked): void {
    switch (event.kind) {
      case 'put':
        this.#names?.add(event.node.name);
        this.#sink.put(event.node);
        break;
      case 'gone':
        this.#names?.delete(event.node.name);
        this.#sink.gone(event.node.name);
        break;
      case 'bookmark':
        if (event.isListEnd && this.#names !== undefined) {
          this.#sink.listed(this.#names);
          this.#names = undefined;
        }
        break;
      case 'error':
        this.#failure = failureOfStatus(event.refusal.code, event.refusal, asked);
        return;
    }
    const version = event.kind === 'bookmark' ? event.resourceVersion : event.node.resourceVersion;
    // While the list is told, its versions come in any order.
    if (this.#names === undefined) this.#version = version;
  }
}
