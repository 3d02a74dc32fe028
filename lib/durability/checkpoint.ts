/**
 * Checkpoints: a state, and how far its consumers are, in one transaction. What recovery starts
 * from, so that the log need not be kept for ever.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { Consumer } from "../channel/consumer.ts";
import { DurabilityError } from "../errors.ts";
import {
  checkpointIds,
  type Cursor,
  type Manifest,
  manifestKey,
  packManifest,
} from "./manifest.ts";
import { recoverState, type Recovery } from "./recovery.ts";
import {
  chunkPrefix,
  parseChunkKey,
  type State,
  verifySnapshot,
  writeSnapshot,
} from "./snapshot.ts";
import type { Store, StoreOperation, StoreOptions } from "./store.ts";
import { Vault } from "./vault.ts";

/** What a checkpoint is made of. */
export interface CheckpointContent {
  /**
   * The state's bytes, after every message that its consumers have handed out. A part-wise state is
   * read while the checkpoint is written: it must be an image that does not change meanwhile.
   */
  state: State;
  /**
   * Consumers whose messages the state contains, up to {@linkcode Consumer.delivered}. Named ones:
   * the log keeps what they would need after a crash.
   */
  consumers: readonly Consumer[];
  /**
   * Milliseconds that it waits, on a channel with `durability: "disk"`, while nobody writes the
   * log: who does may be on its way back. Default: 10,000; `Infinity` for as long as it takes.
   */
  logTimeoutMs?: number;
}

/** A checkpoint that was made. */
export interface Checkpoint {
  /** Its number: 1, 2, 3 … for each state. */
  id: number;
  /** How far its consumers were. */
  cursors: readonly Cursor[];
  /** Bytes of the state. */
  bytes: number;
  /** Milliseconds that it took. */
  durationMs: number;
}

/** When checkpoints are made by themselves. */
export interface CheckpointSchedule {
  /** Milliseconds between two. Default: 5000. */
  intervalMs?: number;
  /** Messages between two, looked at by {@linkcode CheckpointTimer.poke}. Default: no limit. */
  everyMessages?: number;
  /** Called at once when a checkpoint is due; what it returns is what is kept. */
  capture: () => CheckpointContent;
  /** Told of each that was made. */
  onCheckpoint?: (checkpoint: Checkpoint) => void;
}

const DEFAULT_INTERVAL_MS = 5_000;

/** Long enough for a persister that is started again, on a disk of seconds for each sync. */
const DEFAULT_LOG_TIMEOUT_MS = 20_000;

/** Milliseconds between two looks whether the log has got as far as the state. */
const DURABLE_INTERVAL_MS = 1;

/** The checkpoints of one process's states. Made by {@linkcode openCheckpoints}. */
export class Checkpoints implements Disposable {
  readonly #vault: Vault;
  readonly #underWay = new Set<string>();
  #keeping = Promise.resolve();

  /** Takes open stores over. */
  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /** Directory of the stores. */
  get directory(): string {
    return this.#vault.directory;
  }

  /**
   * Makes a checkpoint: durable, read back and compared when the promise resolves; then the log may
   * be cut below what the kept checkpoints need. A crash at any moment leaves the one before.
   *
   * On a channel with `durability: "disk"` it waits until the log is durable as far as the state
   * is, so that a state never knows messages that a power cut takes away; on others it can. Event
   * loop and consumers go on meanwhile. A log that is full or slow is waited for; one that nobody
   * writes only for `logTimeoutMs`.
   *
   * @param stateId Name of the state: 1 to 96 of `A-Z a-z 0-9 . _ -`.
   * @throws {TypeError} If a checkpoint of this state is under way.
   * @throws {RangeError} If `logTimeoutMs` is less than 0 or no number.
   * @throws {Deno.errors.TimedOut} If nobody writes the log, which lacks messages of the state. The
   *     checkpoint before stays.
   * @throws {DurabilityError} If disk or log have failed. The same.
   * @throws {NoSpaceError} If the disk is full. The same.
   * @throws {CorruptStoreError} If what was read back is not what was written. The same.
   */
  async checkpoint(stateId: string, content: CheckpointContent): Promise<Checkpoint> {
    const begin = performance.now();
    checkStateId(stateId);
    const { state, consumers, logTimeoutMs = DEFAULT_LOG_TIMEOUT_MS } = content;
    if (!(logTimeoutMs >= 0)) {
      throw new RangeError(
        `Cannot make a checkpoint of "${stateId}": expected logTimeoutMs to be 0 or more, ` +
          `found ${logTimeoutMs}`,
      );
    }
    const cursors = consumers.map(toCursor); // Now: they may go on while the state is written.
    if (this.#underWay.has(stateId)) {
      throw new TypeError(`Cannot make a checkpoint of "${stateId}": found one under way`);
    }
    this.#underWay.add(stateId);
    try {
      const kept = await this.#vault.newest(stateId);
      const id = (kept?.manifest.id ?? 0) + 1;
      const store = this.#vault.other(kept?.store);
      const seal = await writeSnapshot(store, stateId, id, state);
      for (const [i, consumer] of consumers.entries()) {
        await durableUpTo(consumer.channel, cursors[i]!.sequence, logTimeoutMs);
      }
      const manifest: Manifest = { version: 1, id, createdMs: Date.now(), cursors, ...seal };
      await commitManifest(store, stateId, manifest);
      await verifySnapshot(store, stateId, id, seal);
      this.#vault.replaced(stateId, id);
      await this.#keepFor(consumers);
      return { id, cursors, bytes: seal.bytes, durationMs: performance.now() - begin };
    } finally {
      this.#underWay.delete(stateId);
    }
  }

  /**
   * Makes the log keep what any checkpoint would need: of other states too, which may have the same
   * consumers. One after the other, so that the last one has seen all of them.
   */
  async #keepFor(consumers: readonly Consumer[]): Promise<void> {
    const before = this.#keeping;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#keeping = promise;
    try {
      await before;
      for (const consumer of consumers) await keepFor(consumer, this.#vault);
    } finally {
      resolve();
    }
  }

  /**
   * Returns the newest sound checkpoint of a state, and everything that recovery needs.
   *
   * @param channel The channel whose messages the state is made from.
   * @throws {CorruptStoreError} If there are checkpoints and none is sound.
   * @throws {CorruptLogError} If the log ends before the checkpoint.
   *
   * @example A service that goes on after a crash
   * ```ts
   * import { createChannel, openCheckpoints, openProducer } from "message_transport";
   * import { assertEquals } from "@std/assert";
   *
   * const directory = Deno.makeTempDirSync();
   * const options = { directory, walDir: `${directory}/wal`, durability: "disk" } as const;
   *
   * async function serve(upTo: number): Promise<number> {
   *   using channel = createChannel("doc.sums", { ...options, segmentBytes: "256KB" });
   *   using checkpoints = openCheckpoints({ directory: `${directory}/checkpoints` });
   *   const recovery = await checkpoints.recover("sum", channel);
   *   let sum = recovery.state?.[0] ?? 0;
   *   const consumer = recovery.replay({ name: "sum" });
   *   const producer = openProducer(channel);
   *   producer.write(Uint8Array.of(upTo));
   *   while (consumer.poll((message) => sum += message.view.getUint8(message.offset)) > 0);
   *   await checkpoints.checkpoint("sum", { state: Uint8Array.of(sum), consumers: [consumer] });
   *   return sum;
   * }
   *
   * assertEquals(await serve(3), 3);
   * assertEquals(await serve(4), 7); // The state of before, and no message twice.
   * Deno.removeSync(directory, { recursive: true });
   * ```
   */
  async recover(stateId: string, channel: Channel): Promise<Recovery> {
    checkStateId(stateId);
    return await recoverState(this.#vault, stateId, channel);
  }

  /**
   * Makes checkpoints of a state by themselves: every so often, and after so many messages. One
   * that fails is an unhandled rejection, unless {@linkcode CheckpointTimer.ended} is awaited.
   */
  schedule(stateId: string, schedule: CheckpointSchedule): CheckpointTimer {
    checkStateId(stateId);
    return new CheckpointTimer(this, stateId, schedule);
  }

  /** Closes the stores, after what is under way. May be repeated. */
  close(): void {
    this.#vault.close();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Makes checkpoints of one state until it is stopped. Made by {@linkcode Checkpoints.schedule}. */
export class CheckpointTimer implements AsyncDisposable {
  readonly #checkpoints: Checkpoints;
  readonly #stateId: string;
  readonly #schedule: CheckpointSchedule;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #ended = Promise.withResolvers<void>();
  #underWay: Promise<void> | undefined;
  #doneUpTo: number | undefined;
  #isStopped = false;

  /** Starts it. */
  constructor(checkpoints: Checkpoints, stateId: string, schedule: CheckpointSchedule) {
    this.#checkpoints = checkpoints;
    this.#stateId = stateId;
    this.#schedule = schedule;
    const intervalMs = schedule.intervalMs ?? DEFAULT_INTERVAL_MS;
    if (!(intervalMs >= 1 && intervalMs <= 0x7fff_ffff)) {
      throw new RangeError(
        `Cannot make checkpoints of "${stateId}" every ${intervalMs} ms: expected 1 or more`,
      );
    }
    this.#timer = setInterval(() => this.#begin(), intervalMs);
  }

  /** Resolves when it is stopped; rejects when a checkpoint has failed, which stops it. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Makes a checkpoint if `everyMessages` have been handed out since the last one. For the loop
   * that consumes: costs a comparison.
   *
   * @param sequence Last message that the state contains.
   */
  poke(sequence: number): void {
    this.#doneUpTo ??= sequence - 1;
    const { everyMessages = Infinity } = this.#schedule;
    if (sequence - this.#doneUpTo < everyMessages || this.#underWay !== undefined) return;
    this.#doneUpTo = sequence;
    this.#begin();
  }

  #begin(): void {
    if (this.#underWay !== undefined || this.#isStopped) return;
    this.#underWay = this.#make().then(
      () => void (this.#underWay = undefined),
      (error) => {
        this.#underWay = undefined;
        clearInterval(this.#timer);
        this.#isStopped = true;
        this.#ended.reject(error);
      },
    );
  }

  async #make(): Promise<void> {
    const { capture, onCheckpoint } = this.#schedule;
    const checkpoint = await this.#checkpoints.checkpoint(this.#stateId, capture());
    onCheckpoint?.(checkpoint);
  }

  /** Stops it, after the checkpoint that is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#isStopped = true;
    await this.#underWay;
    this.#ended.resolve();
    await this.#ended.promise;
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Opens the checkpoints in a directory, of which this process becomes the one owner. Two of each
 * state are kept, each in a store of its own: what damages one store leaves the other.
 *
 * A store that is damaged is set aside under another name, and told of by
 * {@linkcode Checkpoints.recover}.
 *
 * @throws {Deno.errors.Busy} If another process has it open: the text has the pid.
 */
export function openCheckpoints(options: StoreOptions): Checkpoints {
  return new Checkpoints(new Vault(options));
}

const STATE_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,95}$/;

function checkStateId(stateId: string): void {
  if (STATE_ID.test(stateId)) return;
  throw new RangeError(
    `Cannot use "${stateId}" as the name of a state: expected 1 to 96 of A-Z, a-z, 0-9, ".", ` +
      `"_" and "-", not beginning with "."`,
  );
}

function toCursor(consumer: Consumer): Cursor {
  return {
    channel: consumer.channelName,
    consumer: consumer.name,
    sequence: consumer.delivered,
    epoch: consumer.channel.stats().log?.epoch ?? 0,
  };
}

/** Puts a checkpoint in the place of the one that its store had. */
async function commitManifest(store: Store, stateId: string, manifest: Manifest): Promise<void> {
  const operations: StoreOperation[] = [
    { put: manifestKey(stateId, manifest.id), value: packManifest(manifest) },
  ];
  const others = new Set(await checkpointIds(store, stateId));
  for await (const key of store.keys(`snap/${stateId}/`)) { // Of ones cut short, too.
    const chunk = parseChunkKey(key);
    if (chunk !== undefined) others.add(chunk.id);
  }
  others.delete(manifest.id);
  for (const id of others) {
    operations.push({ delete: manifestKey(stateId, id) });
    operations.push({ deletePrefix: chunkPrefix(stateId, id) });
  }
  await store.commit(operations);
}

/** Waits until the log has what the state knows, where the channel promises the disk. */
async function durableUpTo(channel: Channel, sequence: number, timeoutMs: number): Promise<void> {
  if (channel.durability !== "disk") return;
  let absentSince: number | undefined;
  for (;;) {
    const { durable, state, errno } = channel.stats().log!;
    if (durable >= sequence) return;
    if (state === "failed") throw new DurabilityError(channel.logDirectory!, errno);
    absentSince = state === "absent" ? absentSince ?? performance.now() : undefined;
    if (absentSince !== undefined && performance.now() - absentSince >= timeoutMs) {
      throw new Deno.errors.TimedOut(
        `Cannot make a checkpoint of channel "${channel.name}" at sequence ${sequence}: ` +
          `found its log "${channel.logDirectory}" durable up to ${durable}, and nobody who ` +
          `writes it since ${timeoutMs} ms; start who created the channel, or "mt persist"`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, DURABLE_INTERVAL_MS));
  }
}

/** Makes the log keep what any of the checkpoints would need. */
async function keepFor(consumer: Consumer, vault: Vault): Promise<void> {
  if (consumer.name === "" || consumer.channel.logDirectory === undefined) return;
  const needs = await vault.needs(consumer.channelName);
  const own = needs.filter((need) => need.consumer === consumer.name);
  if (consumer.isOpen && own.length > 0) consumer.keep(Math.min(...own.map(({ from }) => from)));
}
