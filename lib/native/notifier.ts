/**
 * Wakes asynchronous consumers from the native notifier thread.
 *
 * One callback for the isolate; each waiting consumer has a token. While one waits, the callback keeps
 * the process alive; with none, the process may end.
 *
 * @module
 */

import { OK, TABLE_FULL } from "./_layout.ts";
import { native } from "./library.ts";

const definition = { parameters: ["u32"], result: "void" } as const;

let callback: Deno.UnsafeCallback<typeof definition> | undefined;
let nextToken = 1;
const waiting = new Map<number, () => void>();

/**
 * Whether this isolate can be woken by the notifier.
 *
 * Needs unscoped `--allow-ffi`. Not in Workers: one that is terminated takes its callback with it, and
 * the thread would call into nothing.
 */
export function canNotify(): boolean {
  if ("WorkerGlobalScope" in globalThis) return false;
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/**
 * Waits until a poll of the consumer has something to say, or until {@linkcode Wait.cancel}.
 *
 * @returns Undefined when the notifier has no place left for this consumer.
 */
export function notifyOnce(consumerHandle: number): Wait | undefined {
  callback ??= new Deno.UnsafeCallback(definition, settle);
  const token = nextToken;
  nextToken = nextToken === 0xffff_ffff ? 1 : nextToken + 1;
  const { promise, resolve } = Promise.withResolvers<void>();
  if (waiting.size === 0) callback.ref();
  waiting.set(token, resolve);
  const status = native().mt_consumer_arm(consumerHandle, callback.pointer, token);
  if (status === OK) return { promise, cancel: () => cancel(consumerHandle, token) };
  settle(token);
  if (status === TABLE_FULL) return undefined;
  return { promise, cancel: () => {} }; // Closed: settled, the next poll says so.
}

/** A wait under way. */
export interface Wait {
  /** Resolves when there is news, or when it was cancelled. */
  promise: Promise<void>;
  /** Ends it. */
  cancel: () => void;
}

function settle(token: number): void {
  const resolve = waiting.get(token);
  if (resolve === undefined) return;
  waiting.delete(token);
  if (waiting.size === 0) callback?.unref();
  resolve();
}

function cancel(consumerHandle: number, token: number): void {
  native().mt_consumer_disarm(consumerHandle);
  settle(token);
}
