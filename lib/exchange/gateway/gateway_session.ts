/**
 * Sessions of a gateway: what a client may come back to.
 *
 * Everything here follows from `engine.events` alone, so that a gateway that was killed knows it
 * again: an event's number is how many events of the session came up to it.
 *
 * @module
 */

import { EventWindow } from "./event_window.ts";
import { EngineEvent, KIND_TRADED } from "../orders.ts";
import { TokenBucket } from "./token_bucket.ts";

/** Whether the session of an event that concerns it is the one whose order rested in a trade. */
export function isMakerOf(
  event: { kind: number; sessionId: number; makerSessionId: number },
  sessionId: number,
): boolean {
  return event.kind === KIND_TRADED && event.sessionId !== sessionId &&
    event.makerSessionId === sessionId;
}

/** One session. Pure: no clock, no socket. */
export class GatewaySession {
  /** Its id, unique over all gateways of an engine. */
  readonly id: number;
  /** SHA-256 of its token, in hexadecimal. */
  readonly tokenHash: string;
  /** Its newest events. */
  readonly window: EventWindow;
  /** How fast it may send. Lives as long as the session, so that coming back fills nothing. */
  readonly bucket: TokenBucket;
  /** Last event that may be told: its order is as durable as promised. */
  releasedNumber: number;
  /** Highest client sequence that was published: what is not above it is a resend. */
  lastClientSequence: number;

  /** Begins after `start`, what an image knows of it. */
  constructor(
    { id, tokenHash }: { id: number; tokenHash: string },
    limits: { resendWindow: number; ordersPerSecond: number },
    start: { lastNumber: number; lastClientSequence: number } = NOTHING,
  ) {
    this.id = id;
    this.tokenHash = tokenHash;
    this.window = new EventWindow(limits.resendWindow, start.lastNumber);
    this.bucket = new TokenBucket(limits.ordersPerSecond);
    this.releasedNumber = start.lastNumber;
    this.lastClientSequence = start.lastClientSequence;
  }

  /** Number of its newest event; 0 before the first. */
  get lastNumber(): number {
    return this.window.last;
  }

  /** Takes in an event that concerns it. Assumes that the engine's sequence of events is kept. */
  record(view: DataView<ArrayBuffer>, offset: number): void {
    this.window.push(view, offset);
    const event = accessor.wrap(view, offset, EngineEvent.sizeBytes);
    if (event.sessionId !== this.id) return; // The maker of a trade: another one's request.
    this.published(event.clientSequence);
  }

  /** A request of it is in `gateway.orders`. */
  published(clientSequence: number): void {
    this.lastClientSequence = Math.max(this.lastClientSequence, clientSequence);
  }

  /** Lets everything be told that was recorded. */
  release(): void {
    this.releasedNumber = this.lastNumber;
  }
}

const NOTHING = { lastNumber: 0, lastClientSequence: 0 };
const accessor = EngineEvent.accessor();
