/**
 * Wakes the asynchronous consumers of this isolate, by one native call that sleeps for all of them
 * on a thread of Deno's pool.
 *
 * Each waiting consumer has a token. While one waits, the call is repeated and keeps the process
 * alive; with none, the process may end.
 *
 * @module
 */

import { TABLE_FULL } from "./_layout.ts";
import { native } from "./library.ts";

let nextToken = 1;
let isListening = false;
const waiting = new Map<number, () => void>();

/** Longest time that one call lasts: the thread of a terminated Worker ends no sooner. */
const SLICE_MS = "WorkerGlobalScope" in globalThis ? 200 : 2_000;

/** A wait under way. */
export interface Wait {
  /** Resolves when there is news, or when it was cancelled. */
  promise: Promise<void>;
  /** Ends it soon. */
  cancel: () => void;
}

/**
 * Waits until a poll of the consumer has something to say, or until {@linkcode Wait.cancel}.
 *
 * @returns Undefined when the notifier has no place left for this consumer.
 */
export function notifyOnce(consumerHandle: number): Wait | undefined {
  const token = nextToken;
  nextToken = nextToken === 0xffff_ffff ? 1 : nextToken + 1;
  const isolate = native().mt_consumer_arm(consumerHandle, token);
  if (isolate === TABLE_FULL) return undefined;
  // Closed: the next poll says so.
  if (isolate < 0) return { promise: Promise.resolve(), cancel: () => {} };
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.set(token, resolve);
  if (!isListening) void listen(isolate);
  return { promise, cancel: () => void native().mt_consumer_disarm(consumerHandle) };
}

async function listen(isolate: number): Promise<void> {
  const { mt_notifier_take, mt_notifier_wait } = native();
  isListening = true;
  while (waiting.size > 0) {
    let token = await mt_notifier_wait(isolate, SLICE_MS);
    for (; token !== 0; token = mt_notifier_take(isolate)) {
      waiting.get(token)?.();
      waiting.delete(token);
    }
  }
  isListening = false;
}
