/**
 * Heartbeats: who is silent too long is gone.
 *
 * @module
 */

/** Intervals without a sign of life after which the other side counts as gone. */
export const INTERVALS_UNTIL_GONE = 3;

/** One connection's two silences. Pure: whoever uses it brings the time. */
export class Heartbeat {
  /** Milliseconds of silence after which a side sends a heartbeat. */
  readonly intervalMs: number;
  #sentMs: number;
  #lookedMs: number;
  #silentMs = 0;

  /** Begins now. */
  constructor(intervalMs: number, nowMs: number) {
    this.intervalMs = intervalMs;
    this.#sentMs = this.#lookedMs = nowMs;
  }

  /** Something was sent. */
  sent(nowMs: number): void {
    this.#sentMs = nowMs;
  }

  /** Something was received. */
  received(nowMs: number): void {
    this.#lookedMs = nowMs;
    this.#silentMs = 0;
  }

  /** Whether it is time to send a heartbeat. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#sentMs >= this.intervalMs;
  }

  /**
   * Looks, some times in each interval. Returns whether the other side has been silent for three
   * intervals. Between two looks at most one counts: whoever has stood still must first read what
   * has come meanwhile.
   */
  look(nowMs: number): "silent" | "alive" {
    this.#silentMs += Math.min(this.intervalMs, nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
    return this.#silentMs >= INTERVALS_UNTIL_GONE * this.intervalMs ? "silent" : "alive";
  }
}
