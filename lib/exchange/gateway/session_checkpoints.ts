/**
 * Checkpoints of a gateway's sessions, so that a restart reads only the events behind them.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import type { Consumer } from "../../channel/consumer.ts";
import { type Checkpoints, openCheckpoints } from "../../durability/checkpoint.ts";
import type { GatewaySessions } from "./gateway_sessions.ts";

const STATE_ID = "sessions";

/** Keeps what the sessions know of the engine's events. */
export class SessionCheckpoints implements Disposable {
  readonly #checkpoints: Checkpoints;
  readonly #sessions: GatewaySessions;
  readonly #intervalMs: number;
  readonly #onFailure: (error: Error) => void;
  #consumer: Consumer | undefined;
  #keptSequence = 0;
  #begunMs = performance.now();
  #underWay: Promise<void> | undefined;

  /** Keeps checkpoints in a directory, of which this process becomes the one owner. */
  constructor(
    directory: string,
    sessions: GatewaySessions,
    { intervalMs, onFailure }: { intervalMs: number; onFailure: (error: Error) => void },
  ) {
    this.#checkpoints = openCheckpoints({ directory });
    this.#sessions = sessions;
    this.#intervalMs = intervalMs;
    this.#onFailure = onFailure;
  }

  /**
   * Gives the sessions what was kept of them.
   *
   * @returns The consumer that goes on behind that, the last event that was kept, and the last one
   *     that there is.
   */
  async recover(
    events: Channel,
    name: string,
  ): Promise<{ consumer: Consumer; sequence: number; last: number }> {
    const recovery = await this.#checkpoints.recover(STATE_ID, events);
    if (recovery.state !== undefined) this.#sessions.restore(recovery.state);
    const consumer = recovery.replay({ name, onSlow: "spill" });
    if (recovery.checkpoint === 0) consumer.keep(1); // Numbers follow from all events.
    this.#consumer = consumer;
    this.#keptSequence = recovery.sequence;
    return { consumer, sequence: recovery.sequence, last: recovery.lastSequence };
  }

  /** Makes a checkpoint if it is time. Assumes that all that was recorded may be told. */
  poke(): void {
    const nowMs = performance.now();
    if (nowMs - this.#begunMs < this.#intervalMs || this.#underWay !== undefined) return;
    this.#begunMs = nowMs;
    this.#underWay = this.#make().finally(() => this.#underWay = undefined);
  }

  async #make(): Promise<void> {
    const consumer = this.#consumer!;
    const { delivered } = consumer;
    if (delivered === this.#keptSequence) return;
    const state = this.#sessions.image();
    try {
      await this.#checkpoints.checkpoint(STATE_ID, { state, consumers: [consumer] });
      this.#keptSequence = delivered;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#onFailure(error); // The one before stays.
    }
  }

  /** Makes a last checkpoint, if all that was recorded may be told. The consumer has to be open. */
  async close(): Promise<void> {
    await this.#underWay;
    if (this.#sessions.changed.size === 0) await this.#make();
    this[Symbol.dispose]();
  }

  /** Closes it as it is. */
  [Symbol.dispose](): void {
    this.#checkpoints.close();
  }
}
