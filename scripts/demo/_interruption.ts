/**
 * Signals that end the demo.
 *
 * @module
 */

/** The demo was told to end by a signal. */
export class InterruptedError extends Error {
  override name = "InterruptedError";
  /** Exit status by which a shell tells that signal. */
  readonly status: number;

  /** Takes the signal. */
  constructor(signal: Deno.Signal, number: number) {
    super(`Cannot finish the demo: found signal ${signal}`);
    this.status = 128 + number;
  }
}

const SIGNALS: [signal: Deno.Signal, number: number][] = [
  ["SIGINT", 2],
  ["SIGTERM", 15],
];

/** Rejects at a signal, for as long as it is not disposed of. */
export class Interruption implements Disposable {
  readonly #deferred = Promise.withResolvers<never>();
  readonly #listeners = SIGNALS.map(([signal, number]) => {
    const listener = () => this.#deferred.reject(new InterruptedError(signal, number));
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });

  /** Begins to listen. */
  constructor() {
    this.#deferred.promise.catch(() => {}); // It may come before somebody waits for it.
  }

  /** Rejects with an {@linkcode InterruptedError}. */
  get promise(): Promise<never> {
    return this.#deferred.promise;
  }

  /** Listens no more. */
  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
