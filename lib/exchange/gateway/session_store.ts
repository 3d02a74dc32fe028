/**
 * The sessions that a gateway has given out, on disk: before a client hears of one, it is durable.
 *
 * @module
 */

import { openStore, type Store, type StoreOperation } from "../../durability/store.ts";
import { type SessionKey, SESSIONS_PER_GATEWAY } from "./gateway_sessions.ts";

interface Pending {
  operation: StoreOperation;
  done: PromiseWithResolvers<void>;
}

const PREFIX = "session/";
const OWNER = "gateway";

/** A gateway's sessions on disk. Made by {@linkcode openSessionStore}. */
export class SessionStore implements Disposable {
  readonly #store: Store;
  #pending: Pending[] = [];
  #isCommitting = false;

  /** Takes an open store over. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** Returns all sessions, the oldest first. */
  async all(): Promise<SessionKey[]> {
    const keys: SessionKey[] = [];
    for await (const key of this.#store.keys(PREFIX)) {
      const value = await this.#store.get(key);
      if (value !== undefined) {
        keys.push({ id: parseId(value), tokenHash: key.slice(PREFIX.length) });
      }
    }
    return keys.sort((a, b) => a.id - b.id);
  }

  /** Adds a session. Durable when it resolves; those added meanwhile share the next commit. */
  async add({ id, tokenHash }: SessionKey): Promise<void> {
    await this.#enqueue({ put: PREFIX + tokenHash, value: formatId(id) });
  }

  /** Removes a session. */
  async remove({ tokenHash }: SessionKey): Promise<void> {
    await this.#enqueue({ delete: PREFIX + tokenHash });
  }

  async #enqueue(operation: StoreOperation): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#pending.push({ operation, done });
    if (!this.#isCommitting) void this.#commit();
    await done.promise;
  }

  async #commit(): Promise<void> {
    this.#isCommitting = true;
    while (this.#pending.length > 0) {
      const group = this.#pending;
      this.#pending = [];
      try {
        await this.#store.commit(group.map(({ operation }) => operation));
        for (const { done } of group) done.resolve();
      } catch (error) {
        for (const { done } of group) done.reject(error);
      }
    }
    this.#isCommitting = false;
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.#store.close();
  }
}

/**
 * Opens the sessions of a gateway.
 *
 * @throws {Deno.errors.Busy} If another gateway has them open.
 * @throws {RangeError} If they are those of a gateway with another id.
 */
export async function openSessionStore(
  directory: string,
  gatewayId: number,
): Promise<SessionStore> {
  const store = openStore({ directory });
  try {
    const owner = await store.get(OWNER);
    const found = owner === undefined ? gatewayId : parseId(owner);
    if (found !== gatewayId) {
      throw new RangeError(
        `Cannot use "${directory}" as the sessions of gateway ${gatewayId}: found gateway ${found}`,
      );
    }
    if (owner === undefined) await store.commit([{ put: OWNER, value: formatId(gatewayId) }]);
    return new SessionStore(store);
  } catch (error) {
    store.close();
    throw error;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function formatId(id: number): Uint8Array {
  return encoder.encode(String(id));
}

function parseId(value: Uint8Array): number {
  const id = Number(decoder.decode(value));
  const isId = Number.isSafeInteger(id) && id >= 0 && id / SESSIONS_PER_GATEWAY < 2 ** 21;
  if (isId) return id;
  throw new RangeError(`Cannot read ${id} as an id: expected a whole number`);
}
