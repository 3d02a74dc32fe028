/**
 * Claims: messages that are written in place.
 *
 * @module
 */

/** What a claim belongs to: a producer. */
export interface ClaimOwner {
  /** Publishes the open claim. */
  publishClaim(flags: number): number;
  /** Gives it back. */
  abortClaim(): void;
}

/**
 * Room for one message in the ring, to be filled and then published or aborted.
 *
 * The object is used again: it is good until `publish` or `abort`.
 */
export class Claim {
  /** What the message's bytes lie in. */
  view: DataView<ArrayBuffer>;
  /** Where they begin there. */
  offset = 0;
  /** Bytes of the message. */
  length = 0;
  readonly #producer: ClaimOwner;

  /** Made by a producer, once. */
  constructor(producer: ClaimOwner, view: DataView<ArrayBuffer>) {
    this.#producer = producer;
    this.view = view;
  }

  /** The message's bytes, to be written. Costs an object; `view` and `offset` cost none. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.view.buffer, this.offset, this.length);
  }

  /** Makes the message visible. Returns its sequence. */
  publish(flags = 0): number {
    return this.#producer.publishClaim(flags);
  }

  /** Gives the room back. A sequence is used up by it, and skipped by all consumers. */
  abort(): void {
    this.#producer.abortClaim();
  }
}
