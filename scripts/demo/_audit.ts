/**
 * The judgement over a run: whether what clients were told is what the logs have, and whether an
 * engine that was killed has come to the state of one that was not.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  EngineEvent,
  KIND_ACCEPTED,
  KIND_REJECTED,
  MatchingEngine,
  offsetsOf,
  REASONS,
  SIDE_BUY,
  SIDE_SELL,
} from "../../lib/exchange/mod.ts";
import { type Instrument, parseDecimal } from "../../lib/market/mod.ts";
import { type Channel, type Consumer, type Message, openConsumer } from "../../mod.ts";
import type { OpenOrder, SessionReport } from "../load/account.ts";
import type { BookText, LevelText } from "./_market_data_client.ts";

/** What an engine says of its state when it ends. */
export interface EngineState {
  stateHash: string;
  lastSequence: number;
  lastEventNumber: number;
}

/** What came out. */
export interface Verdict {
  /** Requests in the log, and how many of them were executed: others had been sent before. */
  requests: number;
  executed: number;
  /** Requests that clients were told are durable. */
  acked: number;
  /** Of these, how many were not executed. */
  lost: number;
  /** How often requests were executed again that had been executed before. */
  duplicated: number;
  /** Of the state that the log leads to, in a fresh engine. */
  stateHash: string;
  /** Whether the engine ended in that state. */
  stateHashEqual: boolean;
  /** Whether the events that were published are those of the fresh engine, but for their times. */
  eventsEqual: boolean;
  /** Sessions that hold other orders to be open than are, or were not told of every event. */
  sessionsWrong: number;
  /** Books of market data that are not the engine's. */
  booksWrong: number;
  openOrders: number;
}

/** What was told of a run, to be judged. */
export interface Told {
  engine: EngineState;
  sessions: readonly SessionReport[];
  /** Market data's, in full. */
  books: readonly BookText[];
}

/**
 * Keeps the logs of a run whole from its beginning, and reads them at its end.
 *
 * Its consumers acknowledge nothing, so nothing is cut from the logs. Nobody has them open in
 * between: a consumer that is alive, behind, and does not move is stalled.
 */
export class Audit {
  readonly #channels: { orders: Channel; events: Channel };

  /** Begins; both channels have logs, and nothing is in them yet. */
  constructor(channels: { orders: Channel; events: Channel }) {
    this.#channels = channels;
    for (const channel of [channels.orders, channels.events]) open(channel).close();
  }

  /** Judges. Everything that writes to the channels has ended. May be called once. */
  judge({ engine, sessions, books }: Told, instruments: readonly Instrument[]): Verdict {
    const { orders: requests, events } = this.#channels;
    const replay = new Replay(instruments);
    drain(requests, (message) => replay.apply(message));
    const published = new EventDigest();
    drain(events, ({ view, offset }) => published.add(view, offset));
    const { stateHash, lastSequence, lastEventNumber } = replay.state;
    const isInStep = lastSequence === engine.lastSequence &&
      lastEventNumber === engine.lastEventNumber;
    const orders = replay.openOrders();
    return {
      requests: replay.requests,
      ...replay.count(sessions),
      stateHash,
      stateHashEqual: isInStep && stateHash === engine.stateHash,
      eventsEqual: published.value() === replay.events.value(),
      sessionsWrong: sessions.filter((session) => {
        const { sessionId, lastNumber } = session;
        return lastNumber !== (replay.eventCounts.get(sessionId) ?? 0) ||
          !isSameOrders(session.openOrders, orders.get(sessionId) ?? []);
      }).length,
      booksWrong: books.filter((book) => !replay.hasBook(book)).length,
      openOrders: replay.openCount,
    };
  }
}

function open(channel: Channel): Consumer {
  return openConsumer(channel, { name: "audit", onSlow: "spill", ack: "manual" });
}

/** Reads everything that there is. */
function drain(channel: Channel, handler: (message: Message) => void): void {
  using consumer = open(channel);
  while (consumer.poll(handler) > 0);
}

function isSameOrders(told: readonly OpenOrder[], actual: readonly OpenOrder[]): boolean {
  const text = (orders: readonly OpenOrder[]) =>
    JSON.stringify(orders.toSorted((a, b) => a.orderId - b.orderId));
  return text(told) === text(actual);
}

/** A fresh engine that is given a log. */
class Replay {
  requests = 0;
  readonly events = new EventDigest();
  /** Events that concern each session. */
  readonly eventCounts = new Map<number, number>();
  readonly #instruments: Map<number, Instrument>;
  readonly #engine: MatchingEngine;
  /** How often each request of each session was executed. */
  readonly #executed = new Map<number, Map<number, number>>();
  readonly #event = EngineEvent.accessor();

  constructor(instruments: readonly Instrument[]) {
    this.#instruments = new Map(instruments.map((instrument) => [instrument.id, instrument]));
    const onEvent = (view: DataView, offset: number) => this.#take(view, offset);
    this.#engine = new MatchingEngine({ instruments, onEvent });
  }

  get state(): EngineState {
    const { lastSequence, lastEventNumber } = this.#engine;
    return { stateHash: this.#engine.stateHash(), lastSequence, lastEventNumber };
  }

  get openCount(): number {
    return this.#engine.openOrders;
  }

  apply({ view, offset, sequence, length }: Message): void {
    this.requests++;
    this.#engine.apply(view, offset, sequence, length);
  }

  #take(view: DataView, offset: number): void {
    this.events.add(view, offset);
    const { kind, reason, sessionId, clientSequence, makerSessionId } = this.#event
      .wrap(view, offset);
    this.#concern(sessionId);
    if (makerSessionId > 0 && makerSessionId !== sessionId) this.#concern(makerSessionId);
    const isExecuted = kind === KIND_ACCEPTED ||
      kind === KIND_REJECTED && reason !== REASONS.tooOld;
    if (!isExecuted) return;
    let session = this.#executed.get(sessionId);
    if (session === undefined) this.#executed.set(sessionId, session = new Map());
    session.set(clientSequence, (session.get(clientSequence) ?? 0) + 1);
  }

  #concern(sessionId: number): void {
    this.eventCounts.set(sessionId, (this.eventCounts.get(sessionId) ?? 0) + 1);
  }

  /** Counts what was executed, and what of that clients were told. */
  count(sessions: readonly SessionReport[]) {
    let [executed, duplicated, acked, lost] = [0, 0, 0, 0];
    for (const requests of this.#executed.values()) {
      executed += requests.size;
      for (const times of requests.values()) duplicated += times - 1;
    }
    for (const session of sessions) {
      const requests = this.#executed.get(session.sessionId);
      for (const [from, to] of session.acked) {
        acked += to - from + 1;
        for (let sequence = from; sequence <= to; sequence++) {
          if (!requests?.has(sequence)) lost++;
        }
      }
    }
    return { executed, acked, lost, duplicated };
  }

  /** Orders that rest, by session. */
  openOrders(): Map<number, OpenOrder[]> {
    const orders = new Map<number, OpenOrder[]>();
    for (const order of this.#engine.restingOrders()) {
      const { sessionId, instrumentId, orderId, clientOrderId, side, price, remaining } = order;
      const { symbol } = this.#instruments.get(instrumentId)!;
      const own = orders.get(sessionId) ?? [];
      own.push({ orderId, clientOrderId, symbol, side, price, remaining });
      orders.set(sessionId, own);
    }
    return orders;
  }

  /** Whether a book is the engine's: level by level, the best first. */
  hasBook({ symbol, bids, asks }: BookText): boolean {
    const { id, priceDecimals, quantityDecimals } = [...this.#instruments.values()]
      .find((instrument) => instrument.symbol === symbol)!;
    const toUnits = ([price, quantity]: LevelText) => [
      parseDecimal(price, priceDecimals),
      parseDecimal(quantity, quantityDecimals),
    ];
    const told = [bids.map(toUnits), asks.map(toUnits)];
    return JSON.stringify(told) ===
      JSON.stringify([this.#side(id, SIDE_BUY), this.#side(id, SIDE_SELL)]);
  }

  #side(id: number, wanted: number): [price: number, quantity: number][] {
    const levels: [price: number, quantity: number][] = [];
    for (const { instrumentId, side, price, remaining } of this.#engine.restingOrders()) {
      if (instrumentId !== id || side !== wanted) continue;
      const last = levels.at(-1);
      if (last?.[0] === price) last[1] += remaining;
      else levels.push([price, remaining]);
    }
    return levels;
  }
}

/** Events that are summed at once. */
const EVENTS_PER_PART = 256;

const ENGINE_TIME_AT = offsetsOf(EngineEvent).engineTimeNs;

/** The SHA-256 of events as the engine makes them: without the time of their publishing. */
class EventDigest {
  readonly #hash = createHash("sha256");
  readonly #part = new Uint8Array(EVENTS_PER_PART * EngineEvent.sizeBytes);
  readonly #view = new DataView(this.#part.buffer);
  #bytes = 0;

  add(view: DataView, offset: number): void {
    const size = EngineEvent.sizeBytes;
    this.#part.set(new Uint8Array(view.buffer, view.byteOffset + offset, size), this.#bytes);
    this.#view.setFloat64(this.#bytes + ENGINE_TIME_AT, 0, true);
    this.#bytes += size;
    if (this.#bytes < this.#part.length) return;
    this.#hash.update(this.#part);
    this.#bytes = 0;
  }

  /** Ends it. */
  value(): string {
    return this.#hash.update(this.#part.subarray(0, this.#bytes)).digest("hex");
  }
}
