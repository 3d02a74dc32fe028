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

/** Milliseconds between two looks: by these it is seen who moves. */
const LOOK_MS = 1_000;

/** Milliseconds for which a look holds: whoever asks more often does not cost more. */
const FRESH_MS = 250;

/** The last look, kept fresh. */
export class Sight {
  readonly #watch: Watch;
  readonly #timer: ReturnType<typeof setInterval>;
  #last: Look | undefined;
  #lastMs = 0;

  constructor(place: { directory?: string }) {
    this.#watch = new Watch(place.directory === undefined ? {} : { directory: place.directory });
    this.#timer = setInterval(() => {
      try {
        this.look();
      } catch {
        // Whoever asks is told.
      }
    }, LOOK_MS);
  }

  /** Returns a look that is not older than some milliseconds. */
  look(): Look {
    const nowMs = performance.now();
    if (this.#last === undefined || nowMs - this.#lastMs >= FRESH_MS) {
      this.#last = this.#watch.look();
      this.#lastMs = nowMs;
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
