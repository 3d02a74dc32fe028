/**
 * Looks at all channels now and then, so that who asks is told for how long something stands.
 *
 * @module
 */

import {
  assess,
  type Health,
  type HealthLimits,
  type Look,
  type OwnState,
  readDiskSpace,
  Watch,
} from "../../lib/observability/mod.ts";

/**
 * Milliseconds between two looks, if nobody asks: by these it is seen who moves. A look takes some
 * milliseconds, in which a service does nothing else.
 */
const LOOK_MS = 5_000;

/** Milliseconds for which a look holds that was asked for: asking more often costs no more. */
const FRESH_MS = 250;

/** The last look, kept fresh. */
export class Sight {
  readonly #watch: Watch;
  readonly #timer: ReturnType<typeof setInterval>;
  #last: Look | undefined;
  #askedMs = -Infinity;

  constructor(place: { directory?: string }) {
    this.#watch = new Watch(place.directory === undefined ? {} : { directory: place.directory });
    this.#timer = setInterval(() => {
      try {
        this.#watch.look();
      } catch {
        // Whoever asks is told.
      }
    }, LOOK_MS);
  }

  /** Returns a look that is not older than some milliseconds. */
  look(): Look {
    const nowMs = performance.now();
    if (this.#last === undefined || nowMs - this.#askedMs >= FRESH_MS) {
      this.#last = this.#watch.look();
      this.#askedMs = nowMs;
    }
    return this.#last;
  }

  /** Judges that look. */
  assess(own: OwnState, limits: HealthLimits | undefined): Health {
    const look = this.look();
    return assess({ look, disks: readDiskSpace(look), own }, limits);
  }

  /** Ends it. */
  stop(): void {
    clearInterval(this.#timer);
  }
}
