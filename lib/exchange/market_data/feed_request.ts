/**
 * What clients of the stream may ask for, out of text that may be anything.
 *
 * @module
 */

/** Bytes of a request at most: one that names every market of a large exchange still fits. */
export const REQUEST_BYTES_MAX = 16 * 1024;

/** Symbols in one request at most. */
const REQUEST_SYMBOLS_MAX = 256;

/** Where a client stood in a market before its connection was lost. */
export interface ResumePoint {
  symbol: string;
  sequence: number;
  epoch: string;
}

/** What a client wants. */
export interface FeedRequest {
  type: "subscribe" | "unsubscribe";
  /** Without repetition. */
  symbols: string[];
  /** Of symbols among them; only when subscribing. */
  resume: ResumePoint[];
}

/** Why a request is none. */
export interface RequestFault {
  fault: "bad_json" | "bad_request";
  text: string;
}

/**
 * Reads a request.
 *
 * `{"type":"subscribe","symbols":["BTC-USD"],"resume":{"BTC-USD":17,"epoch":{"BTC-USD":"9f.1"}}}`:
 * `epoch` is an object by symbols, or one text for all of them.
 */
export function readFeedRequest(text: string): FeedRequest | RequestFault {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: "bad_json", text: "expected JSON" };
  }
  if (!isObject(value)) return bad("expected an object");
  const { type, symbols, resume } = value;
  if (type !== "subscribe" && type !== "unsubscribe") {
    return bad('expected "type" to be "subscribe" or "unsubscribe"');
  }
  if (!isSymbols(symbols)) {
    return bad(`expected "symbols" to be a list of 1 to ${REQUEST_SYMBOLS_MAX} texts`);
  }
  const unique = [...new Set(symbols)];
  if (resume === undefined || type === "unsubscribe") return { type, symbols: unique, resume: [] };
  if (!isObject(resume)) return bad('expected "resume" to be an object');
  const { epoch } = resume;
  const points: ResumePoint[] = [];
  for (const symbol of unique) {
    if (!Object.hasOwn(resume, symbol) || symbol === "epoch") continue;
    const sequence = resume[symbol];
    const named = isObject(epoch) && Object.hasOwn(epoch, symbol) ? epoch[symbol] : epoch;
    const isSequence = Number.isSafeInteger(sequence) && (sequence as number) >= 0;
    if (!isSequence || typeof named !== "string") {
      return bad('expected "resume" to have a sequence of each symbol, and an epoch');
    }
    points.push({ symbol, sequence: sequence as number, epoch: named });
  }
  return { type, symbols: unique, resume: points };
}

function bad(text: string): RequestFault {
  return { fault: "bad_request", text };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSymbols(value: unknown): value is string[] {
  return Array.isArray(value) && value.length >= 1 && value.length <= REQUEST_SYMBOLS_MAX &&
    value.every((symbol) => typeof symbol === "string");
}
