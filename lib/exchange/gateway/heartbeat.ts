/**
 * Heartbeats: who is silent too long is gone.
 *
 * @module
 */

/** Intervals without a sign of life after which the other side counts as gone. */
const INTERVALS_UNTIL_GONE = 3;

/** One connection's two silences. Pure: whoever uses it brings the time. */
export class Heartbeat {
  /** Milliseconds of silence after which a side sends a heartbeat. */
  readonly intervalMs: number;
  #sentMs: number;
  #receivedMs: number;

  /** Begins now. */
  constructor(intervalMs: number, nowMs: number) {
    this.intervalMs = intervalMs;
    this.#sentMs = this.#receivedMs = nowMs;
  }

  /** Something was sent. */
  sent(nowMs: number): void {
    this.#sentMs = nowMs;
  }

  /** Something was received. */
  received(nowMs: number): void {
    this.#receivedMs = nowMs;
  }

  /** Whether it is time to send a heartbeat. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#sentMs >= this.intervalMs;
  }

  /** Whether the other side has been silent for three intervals. */
  isGone(nowMs: number): boolean {
    return nowMs - this.#receivedMs >= INTERVALS_UNTIL_GONE * this.intervalMs;
  }
}
