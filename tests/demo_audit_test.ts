// The judgement at the end of a demo: that it finds nothing where all is right, and each thing that
// is not.

import { assert, assertEquals } from "@std/assert";
import { toSessionEvent } from "../lib/exchange/gateway/event_text.ts";
import {
  EngineEvent,
  KIND_TRADED,
  MatchingEngine,
  OrderRequest,
  SIDE_BUY,
} from "../lib/exchange/mod.ts";
import { formatDecimal, type Instrument } from "../lib/market/mod.ts";
import { assess, isReadable, Watch } from "../lib/observability/mod.ts";
import { openProducer, type Producer } from "../mod.ts";
import { SessionAccount } from "../scripts/load/account.ts";
import { Audit, type Told, type Verdict } from "../scripts/demo/_audit.ts";
import type { BookText, LevelText } from "../scripts/demo/_market_data_client.ts";
import { OrderFlow } from "../scripts/load/order_flow.ts";
import { Scratch } from "./_support.ts";

const SESSIONS = 3;
const REQUESTS = 3_000;
const INSTRUMENTS: Instrument[] = [
  { id: 1, symbol: "AAA", priceDecimals: 2, quantityDecimals: 4 },
  { id: 2, symbol: "BBB", priceDecimals: 0, quantityDecimals: 0 },
];

/** An exchange in this process: its logs, and the accounts of its sessions. */
class Exchange implements Disposable {
  readonly #scratch = new Scratch();
  readonly #orders = this.#channel("orders");
  readonly #events = this.#channel("events");
  readonly audit = new Audit({ orders: this.#orders, events: this.#events });
  readonly #requests: Producer = openProducer(this.#orders);
  readonly #published: Producer = openProducer(this.#events);
  readonly accounts = Array.from(
    { length: SESSIONS },
    () =>
      new SessionAccount(new Map(INSTRUMENTS.map((instrument) => [instrument.symbol, instrument]))),
  );
  readonly flow = new OrderFlow({ seed: 11, sessions: SESSIONS, instruments: INSTRUMENTS });
  readonly #event = EngineEvent.accessor();
  readonly engine = new MatchingEngine({
    instruments: INSTRUMENTS,
    onEvent: (view, offset) => this.#take(view, offset),
  });

  /** Where its channels are. */
  get directory(): string {
    return this.#scratch.directory;
  }

  #channel(name: string) {
    const walDir = `${this.#scratch.directory}/wal`;
    return this.#scratch.create({ walDir, durability: "disk", sizeBytes: "64KB" }, name);
  }

  /** Has a session send its next request, or bytes of before again. Returns the bytes. */
  send(session: number, clientSequence: number): Uint8Array<ArrayBuffer> {
    const { instrument, ...fields } = this.flow.next(session);
    const bytes = new Uint8Array(OrderRequest.sizeBytes);
    Object.assign(OrderRequest.accessor().wrap(new DataView(bytes.buffer), 0), fields, {
      ...{ instrumentId: INSTRUMENTS[instrument]!.id, sessionId: session + 1, clientSequence },
    });
    this.publish(bytes);
    this.accounts[session]!.takeAck(clientSequence);
    return bytes;
  }

  publish(bytes: Uint8Array<ArrayBuffer>): void {
    const sequence = this.#requests.write(bytes);
    this.engine.apply(new DataView(bytes.buffer), 0, sequence);
  }

  #take(view: DataView<ArrayBuffer>, offset: number): void {
    this.#published.write(new Uint8Array(view.buffer, offset, EngineEvent.sizeBytes));
    const { kind, sessionId, makerSessionId } = this.#event.wrap(view, offset);
    this.#tell(sessionId, view, offset);
    if (kind === KIND_TRADED) this.#tell(makerSessionId, view, offset);
  }

  #tell(sessionId: number, view: DataView, offset: number): void {
    const account = this.accounts[sessionId - 1]!;
    const number = account.lastNumber + 1;
    const at = (id: number) => INSTRUMENTS[id - 1];
    const event = toSessionEvent(view, offset, { number, sessionId, instruments: { at } });
    const closed = account.takeEvent(event);
    if (closed !== undefined) this.flow.closed(sessionId - 1, closed);
  }

  /** What is told of it, all of which is right. */
  told(): Told {
    const { lastSequence, lastEventNumber } = this.engine;
    this.#requests.waitDurable(lastSequence);
    this.#published.waitDurable(lastEventNumber);
    return {
      engine: { stateHash: this.engine.stateHash(), lastSequence, lastEventNumber },
      sessions: this.accounts.map((account, session) => account.report(session + 1)),
      books: INSTRUMENTS.map((instrument) => this.#book(instrument)),
    };
  }

  #book({ id, symbol, priceDecimals, quantityDecimals }: Instrument): BookText {
    const sides: [Map<number, number>, Map<number, number>] = [new Map(), new Map()];
    for (const { instrumentId, side, price, remaining } of this.engine.restingOrders()) {
      if (instrumentId !== id) continue;
      const levels = sides[side === SIDE_BUY ? 0 : 1];
      levels.set(price, (levels.get(price) ?? 0) + remaining);
    }
    const [bids = [], asks = []] = sides.map((levels) =>
      [...levels].map(([price, quantity]): LevelText => [
        formatDecimal(price, priceDecimals),
        formatDecimal(quantity, quantityDecimals, 0),
      ])
    );
    return { symbol, sequence: 0, isComplete: true, bids, asks };
  }

  [Symbol.dispose](): void {
    this.#scratch[Symbol.dispose]();
  }
}

/** Judges what `change` makes of what is told; the exchange is the same each time. */
function judge(change: (told: Told, exchange: Exchange) => Told): Verdict {
  using exchange = new Exchange();
  let first: Uint8Array<ArrayBuffer> | undefined;
  for (let i = 0; i < REQUESTS; i++) {
    const bytes = exchange.send(i % SESSIONS, 1 + Math.floor(i / SESSIONS));
    first ??= bytes;
  }
  exchange.publish(first!); // Sent again: answered, not executed.
  return exchange.audit.judge(change(exchange.told(), exchange), INSTRUMENTS);
}

Deno.test("Audit is no consumer that stands still, for who looks before the end", () => {
  using exchange = new Exchange();
  exchange.send(0, 1);
  const { directory } = exchange;
  const look = new Watch({ directory }).look();
  const { reasons } = assess({ look }, { stalledMs: 0 }); // Whoever is alive stands long enough.
  assert(look.channels.every(isReadable));
  assertEquals(reasons.filter(({ subject }) => subject.endsWith("/audit")), []);
});

Deno.test("Audit.judge() finds nothing wrong where nothing is", () => {
  const verdict = judge((told) => told);
  const { stateHash, openOrders, ...found } = verdict;
  assert(/^[0-9a-f]{64}$/.test(stateHash) && openOrders > 10);
  assertEquals(found, {
    requests: REQUESTS + 1,
    executed: REQUESTS,
    acked: REQUESTS,
    lost: 0,
    duplicated: 0,
    stateHashEqual: true,
    eventsEqual: true,
    sessionsWrong: 0,
    booksWrong: 0,
  });
});

Deno.test("Audit.judge() finds an acknowledged request that is not in the log", () => {
  const { lost, acked, sessionsWrong } = judge((told, { accounts }) => {
    accounts[0]!.takeAck(REQUESTS);
    return { ...told, sessions: accounts.map((account, i) => account.report(i + 1)) };
  });
  assertEquals([lost, acked, sessionsWrong], [1, REQUESTS + 1, 0]);
});

Deno.test("Audit.judge() finds another state, other events, other views and other books", () => {
  const wrong = judge(({ engine, sessions, books }) => ({
    engine: { ...engine, stateHash: engine.stateHash.replace(/^./, (c) => c === "0" ? "1" : "0") },
    sessions: sessions.map((session, i) =>
      i === 0 ? { ...session, openOrders: session.openOrders.slice(1) } : session
    ),
    books: books.map((book, i) => i === 0 ? { ...book, bids: book.bids.slice(1) } : book),
  }));
  assertEquals([wrong.stateHashEqual, wrong.sessionsWrong, wrong.booksWrong], [false, 1, 1]);
  const behind = judge((told) => ({
    ...told,
    engine: { ...told.engine, lastEventNumber: told.engine.lastEventNumber - 1 },
    sessions: told.sessions.map((session) => ({ ...session, lastNumber: session.lastNumber + 1 })),
  }));
  assertEquals([behind.stateHashEqual, behind.sessionsWrong], [false, SESSIONS]);
});
