/**
 * Fetches text from a server that must not be believed.
 *
 * @module
 */

/** What a server has answered. */
export interface HttpText {
  /** Status. */
  readonly status: number;
  /** Headers. */
  readonly headers: Headers;
  /** Body, as UTF-8. */
  readonly text: string;
}

/** Bounds of a request. */
export interface HttpTextOptions {
  /** Until the whole answer is there, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest body. */
  readonly bytesMax: number;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/**
 * Fetches a text.
 *
 * @throws {RangeError} If the body is longer than allowed.
 * @throws {Error} If there is no whole answer in time; the signal's reason.
 */
export async function fetchText(url: URL, options: HttpTextOptions): Promise<HttpText> {
  const { timeoutMs, bytesMax } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]);
  const { status, headers, body } = await fetch(url, { signal, redirect: "manual" });
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw new RangeError(`Cannot fetch "${url}" as at most ${bytesMax} bytes: found more`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return { status, headers, text: text + decoder.decode() };
}
