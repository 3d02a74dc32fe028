/**
 * Logon desk: who may use which session, and over which connection.
 *
 * @module
 */

import { DurabilityError, NoSpaceError } from "../../errors.ts";
import type { GatewayConnection } from "./gateway_connection.ts";
import type { GatewaySession } from "./gateway_session.ts";
import { type GatewaySessions, SESSIONS_PER_GATEWAY } from "./gateway_sessions.ts";
import type { Refusal } from "./refusal.ts";
import type { SessionStore } from "./session_store.ts";
import { hashToken, TOKEN_BYTES } from "./session_token.ts";

/** A session that a client may use. */
export interface Admission {
  session: GatewaySession;
  token: Uint8Array<ArrayBuffer>;
  isResumed: boolean;
}

/** Says why a session could not be kept. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof NoSpaceError) {
    return { reason: "wal_full", text: "session: expected room on the disk, found none" };
  }
  if (!(error instanceof DurabilityError)) throw error;
  return {
    reason: "log_failed",
    text: "session: expected a disk that works, found that it failed",
  };
}

/** The sessions that there are, and the connections that use them. */
export class LogonDesk {
  readonly #sessions: GatewaySessions;
  readonly #store: SessionStore;
  readonly #maxSessions: number;
  readonly #connections = new Map<GatewaySession, GatewayConnection>();
  /** Made by this process and without a request so far: the first to go where there is no room. */
  readonly #unused = new Set<GatewaySession>();
  #nextId = 0;
  #pendingCount = 0;

  /** Admits clients to sessions. */
  constructor(sessions: GatewaySessions, store: SessionStore, maxSessions: number) {
    this.#sessions = sessions;
    this.#store = store;
    this.#maxSessions = maxSessions;
  }

  /** Begins to make sessions. Assumes that the sessions know all events there are. */
  open(): void {
    this.#nextId = this.#sessions.highestId + 1;
  }

  /**
   * Finds the session of a token, or makes one where there is no token: durable when it resolves.
   *
   * @returns The session, or why there is none.
   */
  async admit(token: Uint8Array<ArrayBuffer> | undefined): Promise<Admission | Refusal> {
    if (token !== undefined) {
      const session = this.#sessions.find(hashToken(token));
      if (session !== undefined) return { session, token, isResumed: true };
      return { reason: "unknown_session", text: "token: expected one of a session, found another" };
    }
    try {
      return await this.#make();
    } catch (error) {
      return refusalOf(error);
    }
  }

  async #make(): Promise<Admission | Refusal> {
    if (this.#sessions.size + this.#pendingCount >= this.#maxSessions && !await this.#forgetOne()) {
      const text = `sessions: expected at most ${this.#maxSessions}, found them in use`;
      return { reason: "too_many_sessions", text };
    }
    const { gatewayId } = this.#sessions;
    if (this.#nextId >= (gatewayId + 1) * SESSIONS_PER_GATEWAY) {
      const text = `sessions: expected ids of gateway ${gatewayId}, found them used up`;
      return { reason: "too_many_sessions", text };
    }
    const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
    const key = { id: this.#nextId++, tokenHash: hashToken(token) };
    this.#pendingCount++;
    try {
      await this.#store.add(key);
    } finally {
      this.#pendingCount--;
    }
    const session = this.#sessions.add(key);
    this.#unused.add(session);
    return { session, token, isResumed: false };
  }

  async #forgetOne(): Promise<boolean> {
    for (const session of this.#unused) {
      if (this.#connections.has(session)) continue;
      this.#unused.delete(session);
      this.#sessions.remove(session);
      await this.#store.remove(session);
      return true;
    }
    return false;
  }

  /** Gives a session to a connection; the one that had it ends. */
  assign(session: GatewaySession, connection: GatewayConnection): void {
    const before = this.#connections.get(session);
    this.#connections.set(session, connection);
    const text = "session: expected one connection, found that it logged on from another";
    before?.end({ reason: "displaced", text });
  }

  /** A connection has ended. */
  release(connection: GatewayConnection): void {
    const { session } = connection;
    if (session !== undefined && this.#connections.get(session) === connection) {
      this.#connections.delete(session);
    }
  }

  /** A session has sent a request, and so is kept for ever. */
  use(session: GatewaySession): void {
    this.#unused.delete(session);
  }

  /** The connection that uses a session now. */
  connectionOf(session: GatewaySession): GatewayConnection | undefined {
    return this.#connections.get(session);
  }
}
