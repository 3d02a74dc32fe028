/**
 * The wall clock in microseconds.
 *
 * @module
 */

/** Beyond this, the wall clock was set, or the two have drifted apart. Two steps of `Date.now`. */
const DIFFERENCE_MS_MAX = 2;

/** Tells microseconds since 1970: `Date.now` alone has whole milliseconds. */
export class WallClock {
  #originMs = Date.now() - performance.now();

  /** Now, in whole microseconds since 1970. Goes back only where the wall clock does. */
  nowUs(): number {
    const wallMs = Date.now();
    const steadyMs = performance.now();
    const differenceMs = this.#originMs + steadyMs - wallMs;
    if (Math.abs(differenceMs) > DIFFERENCE_MS_MAX) this.#originMs = wallMs - steadyMs;
    return Math.floor((this.#originMs + steadyMs) * 1000);
  }
}
