/**
 * A channel as a plain array of records: what model_test.ts compares the real one with. It knows
 * the documented rules of room, order, acknowledgement and laps, and nothing of how they are kept.
 *
 * @module
 */

/** What a channel is. */
export interface Shape {
  sizeBytes: number;
  alignment: number;
  isMany: boolean;
  /** Longest message of one record. */
  maxRecordBytes: number;
}

/** A record that was ever claimed. Its sequence is its place in the array and one. */
interface Entry {
  /** Bytes since creation, to its start and to its end. */
  start: number;
  end: number;
  state: "open" | "published" | "aborted";
  /** Which producer has claimed it. */
  producer: number;
  /** The message, at its last record; empty at those before. */
  message: Uint8Array | undefined;
}

/** A message as it is delivered. */
export interface Delivered {
  sequence: number;
  payload: Uint8Array;
}

/** A reader of the model. Counts are of records: `read` of them are read, `acked` acknowledged. */
export class ReaderModel {
  readonly isBlocking: boolean;
  readonly isManual: boolean;
  isOpen = true;
  read = 0;
  acked = 0;
  /** Records up to the last message whose handler has returned. */
  done = 0;
  /** Records up to the last message that was handed out. */
  delivered = 0;
  lost = 0;

  constructor({ isBlocking, isManual }: { isBlocking: boolean; isManual: boolean }) {
    this.isBlocking = isBlocking;
    this.isManual = isManual;
  }
}

/** What a poll of the model comes to. */
export interface PollResult {
  messages: Delivered[];
  /** Set where the reader was overrun: it has to be told that it lost from this sequence on. */
  lostFrom: number | undefined;
}

/** A channel, its records and its readers. */
export class RingModel {
  readonly shape: Shape;
  readonly entries: Entry[] = [];
  readonly readers: ReaderModel[] = [];
  /** First record of each producer's open claim. */
  readonly open: (number | undefined)[] = [undefined, undefined];

  constructor(shape: Shape) {
    this.shape = shape;
  }

  /** Bytes ever claimed. */
  get claimed(): number {
    return this.entries.at(-1)?.end ?? 0;
  }

  /** Sequence that the next message gets, as a report tells it. */
  get nextSequence(): number {
    // A single producer tells of a claim when it is published.
    const isHidden = !this.shape.isMany && this.open[0] !== undefined;
    return this.entries.length + (isHidden ? 0 : 1);
  }

  /** Bytes between the slowest blocking consumer and the newest claim. */
  get occupancy(): number {
    return this.claimed - this.#slowest(this.readers);
  }

  #slowest(readers: ReaderModel[]): number {
    const gating = readers.filter(({ isOpen, isBlocking }) => isOpen && isBlocking);
    return Math.min(this.claimed, ...gating.map(({ acked }) => this.#startOf(acked)));
  }

  #startOf(index: number): number {
    return this.entries[index]?.start ?? this.claimed;
  }

  #strideOf(length: number): number {
    const { alignment } = this.shape;
    return Math.ceil((20 + length) / alignment) * alignment;
  }

  /** Claims records for messages in one go. Undefined without room; -1 if there never is. */
  claim(producer: number, messages: Uint8Array[]): number | undefined {
    const { sizeBytes, maxRecordBytes } = this.shape;
    const parts = messages.flatMap((message) => {
      const count = Math.max(1, Math.ceil(message.length / maxRecordBytes));
      return Array.from({ length: count }, (_, i) => ({
        bytes: this.#strideOf(Math.min(maxRecordBytes, message.length - i * maxRecordBytes)),
        message: i === count - 1 ? message : undefined,
      }));
    });
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    if (bytes > sizeBytes / 2 || parts.length === 0) return -1;
    const claims = this.open.flatMap((first) => first === undefined ? [] : this.#startOf(first));
    const slowest = Math.min(this.#slowest(this.readers), ...claims);
    if (this.claimed + bytes > slowest + sizeBytes) return undefined;
    const first = this.entries.length;
    for (const { bytes, message } of parts) {
      const start = this.claimed;
      this.entries.push({ start, end: start + bytes, state: "open", producer, message });
    }
    return first;
  }

  /** Makes records visible from `first` to the end of their claim. Returns the last sequence. */
  publish(first: number, count: number, state: "published" | "aborted" = "published"): number {
    for (const entry of this.entries.slice(first, first + count)) entry.state = state;
    return first + count;
  }

  /** Whether nothing was written over a record. */
  #isIntact(entry: Entry): boolean {
    const { sizeBytes } = this.shape;
    return !this.entries.some(({ start, end, state }) =>
      state !== "open" && start < entry.end + sizeBytes && end > entry.start + sizeBytes
    );
  }

  /** Reads up to `limit` records. Undefined where the reader is overrun at once. */
  #fill(reader: ReaderModel, limit: number): number[] | undefined {
    const batch: number[] = [];
    while (batch.length < limit) {
      const entry = this.entries[reader.read];
      if (entry === undefined || entry.state === "open" || !this.#isIntact(entry)) break;
      if (entry.state === "published") batch.push(reader.read);
      reader.read++;
    }
    if (batch.length > 0) return batch;
    const skipped = this.entries.slice(reader.acked, reader.read);
    if (skipped.every(({ state }) => state === "aborted")) reader.acked = reader.read;
    const isOverrun = this.claimed - this.#startOf(reader.read) > this.shape.sizeBytes;
    return isOverrun ? undefined : [];
  }

  /** Polls. `mishap` is the message, from 1 on, whose handler throws. */
  poll(reader: ReaderModel, limit: number, mishap = Infinity): PollResult {
    const messages: Delivered[] = [];
    for (;;) {
      const batch = limit === 0 ? [] : this.#fill(reader, limit);
      if (batch === undefined) return { messages, lostFrom: reader.read + 1 };
      if (batch.length === 0) return { messages, lostFrom: undefined };
      for (const index of batch) {
        const payload = this.entries[index]!.message;
        if (payload === undefined) continue;
        messages.push({ sequence: index + 1, payload });
        reader.delivered = index + 1;
        if (messages.length === mishap) return this.#beginAgain(reader, messages);
        reader.done = index + 1;
      }
      const isPartial = this.entries[batch.at(-1)!]!.message === undefined;
      if (!reader.isManual) {
        reader.acked = Math.max(reader.acked, isPartial ? reader.done : reader.read);
      }
      if (messages.length > 0 || !isPartial) return { messages, lostFrom: undefined };
    }
  }

  #beginAgain(reader: ReaderModel, messages: Delivered[]): PollResult {
    if (!reader.isManual) reader.acked = Math.max(reader.acked, reader.done);
    reader.read = Math.max(reader.done, reader.acked);
    reader.delivered = reader.done;
    return { messages, lostFrom: undefined };
  }

  /** An overrun reader goes on at a later record, which the real one has chosen. */
  skip(reader: ReaderModel, to: number): void {
    reader.lost += to - reader.read;
    reader.read =
      reader.acked =
      reader.done =
      reader.delivered =
        to;
  }

  /** Whether a record, or the end, may be where an overrun reader goes on. */
  isGoodStart(index: number): boolean {
    const entry = this.entries[index];
    if (entry === undefined) return index === this.entries.length;
    return this.claimed - entry.start <= this.shape.sizeBytes;
  }

  /** Bytes of records that were claimed from one on. */
  bytesFrom(index: number): number {
    return this.claimed - this.#startOf(index);
  }
}
