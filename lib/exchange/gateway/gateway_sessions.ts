/**
 * All sessions of a gateway, and their image for a checkpoint.
 *
 * @module
 */

import { defineSchema } from "../../channel/schema.ts";
import { EVENT_BYTES } from "./event_window.ts";
import { GatewaySession, isMakerOf } from "./gateway_session.ts";
import { EngineEvent } from "../orders.ts";

/** Session ids of one gateway: `gatewayId * SESSIONS_PER_GATEWAY + 1, 2, 3 …`. */
export const SESSIONS_PER_GATEWAY: number = 2 ** 32;

/** What a session is known by. */
export interface SessionKey {
  /** Its id. */
  id: number;
  /** SHA-256 of its token, in hexadecimal. */
  tokenHash: string;
}

/** Limits that all sessions share. */
export interface SessionLimits {
  /** Events that a window keeps at most: a power of two from 16. */
  resendWindow: number;
  /** Requests of one session in a second. */
  ordersPerSecond: number;
}

const ImageHeader = defineSchema("gatewayImage", {
  version: "u32",
  sessions: "u32",
  lastOrderSequence: "u64",
});
const ImageSession = defineSchema("gatewayImageSession", {
  id: "u64",
  lastNumber: "u64",
  lastClientSequence: "u64",
  events: "u64",
});
const IMAGE_VERSION = 1;

/** All sessions of a gateway. Pure: no clock, no socket, no disk. */
export class GatewaySessions {
  readonly gatewayId: number;
  readonly #limits: SessionLimits;
  readonly #byId = new Map<number, GatewaySession>();
  readonly #byToken = new Map<string, GatewaySession>();
  readonly #event = EngineEvent.accessor();
  readonly #changed = new Set<GatewaySession>();
  #highestId: number;
  #lastOrderSequence = 0;

  /** Begins with none. */
  constructor(gatewayId: number, limits: SessionLimits) {
    this.gatewayId = gatewayId;
    this.#limits = limits;
    this.#highestId = gatewayId * SESSIONS_PER_GATEWAY;
  }

  /** Sessions that there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** Highest id of this gateway that was ever seen, in a session or in an event. */
  get highestId(): number {
    return this.#highestId;
  }

  /** Last request, of any gateway's session, of which an event is known. */
  get lastOrderSequence(): number {
    return this.#lastOrderSequence;
  }

  /** Finds a session by its id. */
  at(id: number): GatewaySession | undefined {
    return this.#byId.get(id);
  }

  /** The sessions that have had events since the last {@linkcode release}. */
  get changed(): ReadonlySet<GatewaySession> {
    return this.#changed;
  }

  /** Adds a session. */
  add(key: SessionKey): GatewaySession {
    return this.#put(new GatewaySession(key, this.#limits));
  }

  /** Removes a session. */
  remove(session: GatewaySession): void {
    this.#byId.delete(session.id);
    this.#byToken.delete(session.tokenHash);
  }

  /** Finds the session of a token. */
  find(tokenHash: string): GatewaySession | undefined {
    return this.#byToken.get(tokenHash);
  }

  /** Iterates over all, the oldest first. */
  values(): IterableIterator<GatewaySession> {
    return this.#byId.values();
  }

  /** Takes in the next of the engine's events. Cost: one look-up, two for a trade. */
  record(view: DataView<ArrayBuffer>, offset: number): void {
    const event = this.#event.wrap(view, offset, EngineEvent.sizeBytes);
    const { sessionId, makerSessionId, orderSequence } = event;
    this.#recordFor(sessionId, view, offset);
    if (isMakerOf(event, makerSessionId)) this.#recordFor(makerSessionId, view, offset);
    this.#lastOrderSequence = Math.max(this.#lastOrderSequence, orderSequence);
  }

  #recordFor(id: number, view: DataView<ArrayBuffer>, offset: number): void {
    const session = this.#byId.get(id);
    if (session !== undefined) {
      session.record(view, offset);
      this.#changed.add(session);
    } else if (Math.floor(id / SESSIONS_PER_GATEWAY) === this.gatewayId) {
      this.#highestId = Math.max(this.#highestId, id); // Its store was lost; the id is used up.
    }
  }

  /** Lets everything be told that was recorded, and forgets what has changed. */
  release(): void {
    for (const session of this.#changed) session.release();
    this.#changed.clear();
  }

  /** Returns everything that follows from events, as bytes. */
  image(): Uint8Array<ArrayBuffer> {
    let size = ImageHeader.sizeBytes;
    for (const { window } of this.values()) {
      size += ImageSession.sizeBytes + window.count * EVENT_BYTES;
    }
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    const header = ImageHeader.accessor().wrap(view, 0);
    header.version = IMAGE_VERSION;
    header.sessions = this.size;
    header.lastOrderSequence = this.#lastOrderSequence;
    let at = ImageHeader.sizeBytes;
    const entry = ImageSession.accessor();
    for (const { id, window, lastNumber, lastClientSequence } of this.values()) {
      entry.wrap(view, at);
      entry.id = id;
      entry.lastNumber = lastNumber;
      entry.lastClientSequence = lastClientSequence;
      entry.events = window.count;
      at += ImageSession.sizeBytes;
      at += window.copyTo(bytes, at) * EVENT_BYTES;
    }
    return bytes;
  }

  /**
   * Takes an image over, for those of its sessions that are there.
   *
   * @throws {RangeError} If it is none, or of another version.
   */
  restore(bytes: Uint8Array<ArrayBuffer>): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const { version, sessions, lastOrderSequence } = ImageHeader.accessor().wrap(view, 0);
    if (version !== IMAGE_VERSION) {
      throw new RangeError(
        `Cannot restore sessions as version ${IMAGE_VERSION}: found version ${version}`,
      );
    }
    this.#lastOrderSequence = lastOrderSequence;
    let at = ImageHeader.sizeBytes;
    const entry = ImageSession.accessor();
    for (let index = 0; index < sessions; index++) {
      const { id, lastNumber, lastClientSequence, events } = entry.wrap(view, at);
      at += ImageSession.sizeBytes;
      const end = at + events * EVENT_BYTES;
      if (events > lastNumber || end > bytes.length) {
        throw new RangeError(`Cannot restore session ${id}: found an image cut short`);
      }
      this.#highestId = Math.max(this.#highestId, id);
      const known = this.#byId.get(id);
      if (known === undefined) {
        at = end;
        continue;
      }
      const start = { lastNumber: lastNumber - events, lastClientSequence };
      const session = this.#put(new GatewaySession(known, this.#limits, start));
      for (; at < end; at += EVENT_BYTES) session.window.push(view, at);
      session.release();
    }
  }

  #put(session: GatewaySession): GatewaySession {
    this.#byId.set(session.id, session);
    this.#byToken.set(session.tokenHash, session);
    this.#highestId = Math.max(this.#highestId, session.id);
    return session;
  }
}
