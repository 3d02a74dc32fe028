/**
 * Event relay: the engine's events to the sessions that they concern.
 *
 * @module
 */

import type { Consumer } from "../../channel/consumer.ts";
import type { Message } from "../../channel/record.ts";
import { CorruptLogError } from "../../errors.ts";
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
  /** A session has events that it may be told. */
  onRelease: (session: GatewaySession) => void;
  /** Called when all that was recorded may be told, so that the sessions may be kept. */
  onSettled: () => void;
  /** Told of each batch of events that was taken in. */
  onEvents: (count: number) => void;
}

/** Carries events from a channel to sessions. */
export class EventRelay {
  readonly #options: EventRelayOptions;
  readonly #limit: number;
  readonly #record: (message: Message) => void;
  #settledSequence = 0;

  /** Begins with {@linkcode EventRelay.catchUp}. */
  constructor(options: EventRelayOptions) {
    this.#options = options;
    this.#limit = Math.min(POLL_EVENTS, options.resendWindow / 2);
    const { sessions } = options;
    this.#record = ({ view, offset }) => sessions.record(view, offset);
  }

  /**
   * Takes in everything up to an event, so that numbers are what they were before a restart.
   *
   * @param sequence Last event that there is.
   * @param orderSequence Last request that there is.
   * @throws {CorruptLogError} If events know of requests that are not there.
   */
  async catchUp(sequence: number, orderSequence: number): Promise<void> {
    const { consumer, sessions } = this.#options;
    while (consumer.delivered < sequence) {
      if (this.#poll() === 0 && !await consumer.wait()) return;
    }
    const { lastOrderSequence } = sessions;
    if (lastOrderSequence > orderSequence) {
      throw new CorruptLogError(consumer.channel.logDirectory ?? "", {
        ...{ kind: "regressed", file: "", offset: 0, nextSequence: 0 },
        expectedSequence: lastOrderSequence,
      });
    }
    sessions.release();
  }

  #poll(): number {
    const count = this.#options.consumer.poll(this.#record, this.#limit);
    if (count > 0) this.#options.onEvents(count);
    return count;
  }

  /** Carries events until the consumer is closed. */
  async run(): Promise<void> {
    const { consumer, sessions, settle, onRelease, onSettled } = this.#options;
    while (await consumer.wait()) {
      this.#poll();
      const { lastOrderSequence } = sessions;
      if (lastOrderSequence > this.#settledSequence) {
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
