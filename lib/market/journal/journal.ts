/**
 * Journals: a channel's messages in dated files that people can read.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { Channel } from "../../channel/channel.ts";
import type { Consumer } from "../../channel/consumer.ts";
import type { Message } from "../../channel/record.ts";
import { NoSpaceError } from "../../errors.ts";
import type { Counters } from "../../observability/counters.ts";
import type { JournalDefinitions } from "./journal_counters.ts";
import { LineBuffer, MESSAGE_BYTES_MAX } from "./journal_line.ts";
import type { JournalTail } from "./journal_tail.ts";
import type { BatchStart, JournalWriter } from "./journal_writer.ts";
import type { JsonLayout } from "./json_layout.ts";
import { knownLayoutOf } from "./known_layouts.ts";

/** Records in a batch. What is asked of it: few enough that one waits for no other. */
const BATCH_RECORDS = 64;

/** Bytes of lines that a batch has room for at first: 64 of the longest market-data message. */
const BUFFER_BYTES = 64 * 1024;

/** Bytes in the ring that wait for a sync, at most, and at most a quarter of it. Arbitrary. */
const UNACKED_BYTES_MAX = 1024 * 1024;

/** Bytes that a message takes in a ring beside its own: head, checksum, usual alignment. */
const RECORD_OVERHEAD_BYTES = 96;

/** First and longest pause before a full disk is tried again, in milliseconds. */
const FULL_PAUSE_MS = { first: 50, longest: 2_000 };

/** How a journal is written. */
export interface JournalOptions {
  /** Directory of all journals: this one's files are in `<directory>/<feed>`. */
  directory: string;
  /** Name of the feed. Default: the channel's. */
  feed?: string;
  /** Name of the consumer, whose cursor says where to go on. Default: `journal`. */
  consumer?: string;
  /**
   * When written records are synced, and so acknowledged: each batch, or several at once where
   * more are there (`batch`), every so many milliseconds or sooner if the ring needs the room, or
   * never (`none`: acknowledged when written, which survives the process, not the host). Default:
   * `batch`.
   */
  sync?: "batch" | "none" | { intervalMs: number };
  /** Size at which another file is begun, in bytes. Default: 256 MiB. */
  rotateBytes?: number;
  /** What happens when the disk is too slow: see `ConsumerOptions`. Default: `block`. */
  onSlow?: "block" | "drop" | "spill";
  /** The wall clock, in µs since 1970. Default: that of the host. */
  nowUs?: () => number;
  /** Told once when the disk is full, and with undefined when there is room again. */
  onFull?: (error: NoSpaceError | undefined) => void;
  /** Where it counts each batch. Journals of a process may share it. Default: nowhere. */
  counters?: Counters<JournalDefinitions>;
}

/** What a journal has done since it was opened. */
export interface JournalStats {
  /** Records written. */
  records: number;
  /** Records that were there already: a process died before it had acknowledged them. */
  repeated: number;
  /** Messages that were overrun: with `onSlow: "drop"`, or without a log while no journal ran. */
  lost: number;
  /** Batches written. */
  batches: number;
  /** Bytes written. */
  bytes: number;
  /** Files begun. */
  files: number;
  /** Bytes of a torn end that were set aside when it was opened. */
  tornBytes: number;
  /** Last sequence in the journal; 0 for none. */
  lastSequence: number;
}

/** Batches between two turns of the event loop, in which a service hears its end. */
const BATCHES_PER_TURN = 16;

/** @ignore What a journal works with, and closes. Not for applications. */
export interface JournalParts {
  readonly directory: string;
  readonly channel: Channel;
  readonly consumer: Consumer;
  /** Messages that were gone when it was opened. */
  readonly goneCount: number;
  readonly lock: Deno.FsFile;
  readonly tail: JournalTail;
  readonly writer: JournalWriter;
  /** Of all its messages, where the channel was made for one. */
  readonly layout: JsonLayout | undefined;
  readonly sync: NonNullable<JournalOptions["sync"]>;
  readonly nowUs: () => number;
  readonly onFull: JournalOptions["onFull"];
  readonly counters: JournalOptions["counters"];
}

/**
 * Writes a channel's messages into files, in the background. Made by {@linkcode openJournal}.
 *
 * Thread: its isolate's only.
 */
export class Journal {
  /** Directory of its files. */
  readonly directory: string;
  /** Resolves when it was stopped; rejects when it has failed, and has stopped by itself. */
  readonly ended: Promise<void>;
  readonly #parts: JournalParts;
  readonly #lines = new LineBuffer(BUFFER_BYTES);
  readonly #stats: Pick<JournalStats, "records" | "repeated" | "batches" | "lastSequence">;
  readonly #take = (message: Message) => this.#add(message);
  readonly #unackedMax: number;
  /** What the batch began with that is in the lines. */
  #start: BatchStart = { timeUs: 0, sequence: 0 };
  #batchRecords = 0;
  #counted = { bytes: 0, files: 0, lost: 0 };
  /** Bytes that messages which are not acknowledged yet take in the ring, at most. */
  #unackedBytes = 0;
  #syncDueMs = Infinity;
  #wait: Promise<boolean> = Promise.resolve(false);
  #wake: (() => void) | undefined;
  #isStopping = false;

  /** Takes its parts over; see {@linkcode openJournal}. */
  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.directory = parts.directory;
    const { lastSequence } = parts.tail;
    this.#stats = { records: 0, repeated: 0, batches: 0, lastSequence };
    this.#unackedMax = Math.min(UNACKED_BYTES_MAX, parts.channel.sizeBytes / 4);
    this.ended = this.#run();
  }

  /** What it has done so far. */
  get stats(): JournalStats {
    const { consumer, goneCount, writer, tail } = this.#parts;
    const { files, bytes } = writer;
    const lost = goneCount + consumer.lostCount;
    return { ...this.#stats, lost, files, bytes, tornBytes: tail.tornBytes };
  }

  /** Messages in the channel that are not in the journal yet. Costs a look at the channel. */
  get lagMessages(): number {
    const last = this.#parts.channel.stats().nextSequence - 1;
    return Math.max(0, last - this.#stats.lastSequence);
  }

  /**
   * Ends it: everything published by now is written, synced and acknowledged on return.
   *
   * @returns What it has done.
   * @throws {NoSpaceError} If the disk is full. What was not written is not acknowledged: a journal
   * that is opened later goes on there.
   */
  async stop(): Promise<JournalStats> {
    this.#isStopping = true;
    this.#wake?.();
    await this.ended;
    return this.stats;
  }

  async #run(): Promise<void> {
    const { channel, consumer, writer, lock } = this.#parts;
    try {
      while (!this.#isStopping) {
        if (await this.#hasNews()) await this.#takeBatch();
        if (performance.now() >= this.#syncDueMs) await this.#settle();
      }
      const last = channel.stats().nextSequence - 1;
      while (consumer.delivered < last && await this.#takeBatch() > 0);
      await this.#settle();
    } finally {
      consumer.close();
      await this.#wait.catch(() => {}); // Ended by closing; what it has to say came from `poll`.
      writer.close();
      lock.close();
    }
  }

  /** Waits until there is something to do; false if that is not a message. */
  async #hasNews(): Promise<boolean> {
    const { consumer } = this.#parts;
    const timeoutMs = Math.max(0, this.#syncDueMs - performance.now());
    const woken = Promise.withResolvers<void>();
    this.#wake = woken.resolve;
    let isThere = false;
    this.#wait = consumer.wait({ timeoutMs });
    this.#wait.then((found) => {
      isThere = found || !consumer.isOpen; // A closed one says so when it is polled.
      woken.resolve();
    }, woken.reject);
    await woken.promise;
    this.#wake = undefined;
    return isThere;
  }

  /** Writes what is there, up to a batch. Returns how many messages that were. */
  async #takeBatch(): Promise<number> {
    const { consumer, sync } = this.#parts;
    this.#lines.clear();
    this.#batchRecords = 0;
    const count = consumer.poll(this.#take, BATCH_RECORDS);
    if (this.#batchRecords > 0) {
      await this.#write();
      this.#stats.records += this.#batchRecords;
      this.#stats.lastSequence = consumer.delivered;
      this.#stats.batches++;
      this.#countBatch();
      if (this.#stats.batches % BATCHES_PER_TURN === 0) await setImmediate();
    }
    if (sync === "none") consumer.ack();
    else if (this.#unackedBytes >= this.#unackedMax) await this.#settle();
    else if (sync === "batch") {
      // Whoever has to catch up syncs several batches at once.
      if (count < BATCH_RECORDS) await this.#settle();
    } else this.#syncDueMs = Math.min(this.#syncDueMs, performance.now() + sync.intervalMs);
    return count;
  }

  /** Adds what has come with a batch. */
  #countBatch(): void {
    const { counters } = this.#parts;
    if (counters === undefined) return;
    const { bytes, files, lost } = this.stats;
    const { values } = counters;
    values.records.add(this.#batchRecords);
    values.batches.add();
    values.bytes.add(bytes - this.#counted.bytes);
    if (files > this.#counted.files) values.files.add(files - this.#counted.files);
    if (lost > this.#counted.lost) values.lost.add(lost - this.#counted.lost);
    this.#counted = { bytes, files, lost };
  }

  #add(message: Message): void {
    const { channel, layout, nowUs, tail } = this.#parts;
    const { sequence, flags, latencyNs, view, offset, length } = message;
    this.#unackedBytes += length + RECORD_OVERHEAD_BYTES;
    if (sequence <= tail.lastSequence) {
      this.#stats.repeated++;
      return;
    }
    if (length > MESSAGE_BYTES_MAX) {
      throw new RangeError(
        `Cannot write message ${sequence} of channel "${channel.name}" into a journal: expected ` +
          `at most ${MESSAGE_BYTES_MAX} bytes, found ${length}`,
      );
    }
    if (this.#batchRecords === 0) this.#start = { timeUs: nowUs(), sequence };
    this.#batchRecords++;
    const journalTimeUs = this.#start.timeUs;
    const publishTimeUs = latencyNs === 0 ? 0 : Math.round(journalTimeUs - latencyNs / 1000);
    this.#lines.addRecord(
      { sequence, journalTimeUs, publishTimeUs, flags },
      layout ?? knownLayoutOf(view, offset, length),
      message,
    );
  }

  /** Writes the batch, and waits for room where there is none. */
  async #write(): Promise<void> {
    const { writer, onFull } = this.#parts;
    let isFull = false;
    for (let pauseMs = FULL_PAUSE_MS.first;; pauseMs *= 2) {
      try {
        await writer.append(this.#lines.bytes, this.#start);
        if (isFull) onFull?.(undefined);
        return;
      } catch (error) {
        if (!(error instanceof NoSpaceError) || this.#isStopping) throw error;
        if (!isFull) onFull?.(error);
        isFull = true;
      }
      await this.#pause(Math.min(pauseMs, FULL_PAUSE_MS.longest));
    }
  }

  /** Waits, or is told to stop. */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
    clearTimeout(timer);
  }

  /** Makes durable what was written, and acknowledges it. */
  async #settle(): Promise<void> {
    const { consumer, writer, sync } = this.#parts;
    if (sync !== "none") await writer.sync();
    consumer.ack();
    this.#unackedBytes = 0;
    this.#syncDueMs = Infinity;
  }
}
