/**
 * Checkpoints of what follows from the engine's events alone, so that a restart reads only the
 * events behind them.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { Consumer } from "../channel/consumer.ts";
import { type Checkpoints, openCheckpoints } from "../durability/checkpoint.ts";
import type { State } from "../durability/snapshot.ts";
import { type CheckpointCounters, countCheckpoint } from "../observability/checkpoint_counters.ts";

/** What is kept: it follows from events, in the order in which they came. */
export interface EventState {
  /** Returns its bytes, which do not change any more. */
  image(): State;
  /** Goes on where another one was. */
  restore(image: Uint8Array<ArrayBuffer>): void;
}

/** How checkpoints are made. */
export interface EventCheckpointsOptions {
  /** Name of the state. */
  stateId: string;
  state: EventState;
  /** Milliseconds between two. */
  intervalMs: number;
  /** Whether the state may be kept as it is now. Default: always. */
  mayKeep?: () => boolean;
  /** Told of checkpoints that were not made, and of damaged ones that were passed over. */
  onFailure: (error: Error) => void;
  /** Where they are counted. Default: nowhere. */
  counters?: CheckpointCounters | undefined;
}

/** Where a state goes on. */
export interface EventRecovery {
  /** The consumer that goes on behind the state. */
  consumer: Consumer;
  /** Last event that was kept; 0 for none. */
  sequence: number;
  /** Last event that there is. */
  last: number;
  /** Checkpoints and stores that are damaged, and were passed over. */
  damaged: number;
}

/** Keeps one state. A checkpoint that fails leaves the one before, and the next one is tried. */
export class EventCheckpoints implements Disposable {
  readonly #checkpoints: Checkpoints;
  readonly #options: EventCheckpointsOptions;
  #consumer: Consumer | undefined;
  #keptSequence = 0;
  #dueMs: number;
  #underWay: Promise<void> | undefined;

  /**
   * Keeps checkpoints in a directory, of which this process becomes the one owner.
   *
   * @throws {Deno.errors.Busy} If another process has it open.
   */
  constructor(directory: string, options: EventCheckpointsOptions) {
    this.#checkpoints = openCheckpoints({ directory });
    this.#options = options;
    this.#dueMs = performance.now() + options.intervalMs;
  }

  /**
   * Gives the state what was kept of it.
   *
   * @param name Name of the consumer.
   * @throws {CorruptStoreError} If there are checkpoints and none is sound.
   * @throws {SequenceGapError} If events behind the checkpoint are gone. The state has been given
   *     what was kept.
   * @throws {CorruptLogError} If the log ends before the checkpoint, or is damaged.
   */
  async recover(events: Channel, name: string): Promise<EventRecovery> {
    const { stateId, state, onFailure } = this.#options;
    const recovery = await this.#checkpoints.recover(stateId, events);
    for (const { error } of recovery.damaged) onFailure(error);
    if (recovery.state !== undefined) state.restore(recovery.state);
    const consumer = recovery.replay({ name, onSlow: "spill" });
    if (recovery.checkpoint === 0) consumer.keep(1); // The state follows from all events.
    this.goOn(consumer);
    return {
      consumer,
      sequence: recovery.sequence,
      last: recovery.lastSequence,
      damaged: recovery.damaged.length,
    };
  }

  /** Makes checkpoints of the state from now on, which contains what a consumer has delivered. */
  goOn(consumer: Consumer): void {
    this.#consumer = consumer;
    this.#keptSequence = consumer.delivered;
  }

  /** Makes a checkpoint if it is time. Costs a comparison if it is not. */
  poke(): void {
    const nowMs = performance.now();
    if (nowMs < this.#dueMs || this.#underWay !== undefined) return;
    this.#dueMs = nowMs + this.#options.intervalMs;
    this.#underWay = this.#make().finally(() => this.#underWay = undefined);
  }

  async #make(): Promise<void> {
    const { stateId, state, mayKeep = () => true, onFailure, counters } = this.#options;
    const consumer = this.#consumer!;
    const { delivered } = consumer;
    if (delivered === this.#keptSequence || !mayKeep()) return;
    try {
      const content = { state: state.image(), consumers: [consumer] };
      const checkpoint = await this.#checkpoints.checkpoint(stateId, content);
      this.#keptSequence = delivered;
      if (counters !== undefined) countCheckpoint(counters, checkpoint);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      counters?.values.checkpointFailures.add();
      onFailure(error); // The one before stays.
    }
  }

  /** Makes the last one. The consumer has to be open. */
  async finish(): Promise<void> {
    this.#dueMs = Infinity;
    await this.#underWay;
    await this.#make();
  }

  /** Closes it as it is. */
  [Symbol.dispose](): void {
    this.#checkpoints.close();
  }
}
