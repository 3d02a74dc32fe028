/**
 * Event relay: the engine's events to the sessions that they concern.
 *
 * @module
 */

import type { Consumer } from "../../channel/consumer.ts";
import type { Message } from "../../channel/record.ts";
import { CorruptLogError } from "../../errors.ts";
import { eventFault } from "./event_check.ts";
import type { GatewaySession } from "./gateway_session.ts";
import type { GatewaySessions } from "./gateway_sessions.ts";

/** Events of one poll at most. */
const POLL_EVENTS = 256;

/** How a relay is made. */
export interface EventRelayOptions {
  /** Consumer of `engine.events`, which begins behind what `sessions` know. */
  consumer: Consumer;
  sessions: GatewaySessions;
  /** Events that a session's window keeps: no poll may push out what it has brought. */
  resendWindow: number;
  /** Waits until a request is durable: before that nobody is told what it has caused. */
  settle: (orderSequence: number) => Promise<unknown>;
  /** Returns the sequence of the last request that there is. */
  lastOrder: () => number;
  /** A session has events that it may be told. */
  onRelease: (session: GatewaySession) => void;
  /** Called when all that was recorded may be told, so that the sessions may be kept. */
  onSettled: () => void;
  /** Told of each batch of events that was taken in. */
  onEvents: (count: number) => void;
  /** Told of each message that is no event, and of what it has instead: it is passed over. */
  onMalformed: (sequence: number, found: string) => void;
}

/** Carries events from a channel to sessions. */
export class EventRelay {
  readonly #options: EventRelayOptions;
  readonly #limit: number;
  readonly #record: (message: Message) => void;
  #settledSequence = 0;
  /** A request that was there when somebody looked. */
  #knownOrder = 0;

  /** Begins with {@linkcode EventRelay.catchUp}. */
  constructor(options: EventRelayOptions) {
    this.#options = options;
    this.#limit = Math.min(POLL_EVENTS, options.resendWindow / 2);
    const { sessions, onMalformed } = options;
    this.#record = (message) => {
      const found = eventFault(message);
      if (found === undefined) sessions.record(message.view, message.offset);
      else onMalformed(message.sequence, found);
    };
  }

  /**
   * Takes in everything up to an event, so that numbers are what they were before a restart.
   *
   * @param sequence Last event that there is.
   * @throws {CorruptLogError} If events know of requests that are not there.
   */
  async catchUp(sequence: number): Promise<void> {
    const { consumer, sessions } = this.#options;
    while (consumer.delivered < sequence) {
      if (this.#poll() === 0 && !await consumer.wait()) return;
    }
    this.#checkOrder(sessions.lastOrderSequence);
    sessions.release();
  }

  /** A request that is not there would be waited for without end. */
  #checkOrder(sequence: number): void {
    if (sequence <= this.#knownOrder) return;
    this.#knownOrder = this.#options.lastOrder();
    if (sequence <= this.#knownOrder) return;
    throw new CorruptLogError(this.#options.consumer.channel.logDirectory ?? "", {
      ...{ kind: "regressed", file: "", offset: 0, nextSequence: 0 },
      expectedSequence: sequence,
    });
  }

  #poll(): number {
    const count = this.#options.consumer.poll(this.#record, this.#limit);
    if (count > 0) this.#options.onEvents(count);
    return count;
  }

  /**
   * Carries events until the consumer is closed.
   *
   * @throws {CorruptLogError} If one knows of a request that is not there.
   */
  async run(): Promise<void> {
    const { consumer, sessions, settle, onRelease, onSettled } = this.#options;
    while (await consumer.wait()) {
      this.#poll();
      const { lastOrderSequence } = sessions;
      if (lastOrderSequence > this.#settledSequence) {
        this.#checkOrder(lastOrderSequence);
        await settle(lastOrderSequence);
        this.#settledSequence = lastOrderSequence;
      }
      const changed = [...sessions.changed];
      sessions.release();
      for (const session of changed) onRelease(session);
      onSettled();
    }
  }
}
