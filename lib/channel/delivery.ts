/**
 * A batch of messages as the native side writes it into a buffer, and the message that walks over
 * it.
 *
 * @module
 */

import * as layout from "../native/_layout.ts";
import { Assembly, FRAGMENT_BITS } from "./fragments.ts";
import { Message } from "./record.ts";

/** Bytes of a batch beyond one longest record: some hundred small messages. */
const BATCH_BYTES = 192 * 1024;

/** Reads deliveries out of one buffer, one after the other, with a message that is used again. */
export class DeliveryBatch {
  /** The buffer that the native side fills. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #floats: Float64Array<ArrayBuffer>;
  readonly #payloads: DataView<ArrayBuffer>;
  readonly #isView: boolean;
  readonly #message: Message;
  readonly #assembly = new Assembly();

  /**
   * @param recordBytes Longest record, in bytes.
   * @param data The ring's memory, where payloads are read in place; else they are in the buffer.
   */
  constructor(recordBytes: number, data?: ArrayBuffer) {
    this.bytes = new Uint8Array(BATCH_BYTES + recordBytes);
    this.#words = new Uint32Array(this.bytes.buffer);
    this.#floats = new Float64Array(this.bytes.buffer);
    this.#isView = data !== undefined;
    this.#payloads = new DataView(data ?? this.bytes.buffer);
    this.#message = new Message(this.#payloads);
  }

  /** Whether a split message has begun and not ended. */
  get isSplit(): boolean {
    return this.#assembly.isOpen;
  }

  /** Forgets a split message that has begun. */
  reset(): void {
    this.#assembly.reset();
  }

  /** Points the message at the delivery at `at`; undefined while fragments of it are missing. */
  read(at: number): Message | undefined {
    const message = this.#message;
    const flags = this.#words[(at + layout.DELIVERY_FLAGS_OFFSET) >>> 2]!;
    const stamp = (flags & layout.RECORD_TIMESTAMPED) === 0 ? 0 : layout.RECORD_TIMESTAMP_BYTES;
    const length = this.#words[(at + layout.DELIVERY_LENGTH_OFFSET) >>> 2]!;
    const start = this.#isView
      ? this.#floats[(at + layout.DELIVERY_OFFSET_OFFSET) >>> 3]!
      : at + layout.DELIVERY_SIZE;
    message.sequence = this.#floats[(at + layout.DELIVERY_SEQUENCE_OFFSET) >>> 3]!;
    message.latencyNs = this.#floats[(at + layout.DELIVERY_LATENCY_NS_OFFSET) >>> 3]!;
    message.flags = flags & (layout.RECORD_USER | layout.RECORD_CRITICAL);
    message.view = this.#payloads;
    message.offset = start + stamp;
    message.length = length - stamp;
    if ((flags & FRAGMENT_BITS) === 0) {
      // One that has begun will not end: its log ended there when the host did.
      if (this.#assembly.isOpen) this.#assembly.reset();
      return message;
    }
    return this.#assemble(message, flags & FRAGMENT_BITS);
  }

  #assemble(message: Message, bits: number): Message | undefined {
    const whole = this.#assembly.add(bits, message.payload);
    if (whole === undefined) return undefined;
    message.view = whole;
    message.offset = 0;
    message.length = whole.byteLength;
    return message;
  }

  /** Where the delivery after the one at `at` lies in the buffer. */
  next(at: number): number {
    if (this.#isView) return at + layout.DELIVERY_SIZE;
    const length = this.#words[(at + layout.DELIVERY_LENGTH_OFFSET) >>> 2]!;
    return at + layout.DELIVERY_SIZE + ((length + 7) & ~7);
  }
}
