// The made-up orders of the demo: they look like a market, and an engine takes them.

import { assert, assertEquals } from "@std/assert";
import {
  EngineEvent,
  KIND_ACCEPTED,
  KIND_BOOKED,
  KIND_CANCEL_ORDER,
  KIND_CANCELLED,
  KIND_REJECTED,
  KIND_REPLACE_ORDER,
  KIND_TRADED,
  MatchingEngine,
  OrderRequest,
} from "../lib/exchange/mod.ts";
import { type FlowRequest, OrderFlow } from "../scripts/load/order_flow.ts";

const SESSIONS = 4;
const INSTRUMENTS = [
  { id: 1, priceDecimals: 2, quantityDecimals: 8 },
  { id: 2, priceDecimals: 0, quantityDecimals: 0 },
];

/** A market on which every request is answered at once. */
class Market {
  readonly flow: OrderFlow;
  readonly counts = new Map<number, number>();
  readonly engine = new MatchingEngine({
    instruments: INSTRUMENTS,
    onEvent: (view, offset) => this.#take(view, offset),
  });
  readonly #event = EngineEvent.accessor();
  readonly #view = new DataView(new ArrayBuffer(OrderRequest.sizeBytes));
  readonly #request = OrderRequest.accessor().wrap(this.#view, 0);

  constructor(seed: number) {
    this.flow = new OrderFlow({ seed, sessions: SESSIONS, instruments: INSTRUMENTS });
  }

  step(sequence: number): FlowRequest {
    const session = sequence % SESSIONS;
    const request = this.flow.next(session);
    const { instrument, ...fields } = request;
    Object.assign(this.#request, fields, {
      instrumentId: INSTRUMENTS[instrument]!.id,
      sessionId: session + 1,
      clientSequence: sequence,
    });
    this.engine.apply(this.#view, 0, sequence);
    return request;
  }

  #take(view: DataView, offset: number): void {
    const event = this.#event.wrap(view, offset);
    const { kind, sessionId, clientOrderId, remaining } = event;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const isClosed = kind === KIND_CANCELLED || kind === KIND_REJECTED ||
      kind === KIND_TRADED && remaining === 0;
    if (isClosed) this.flow.closed(sessionId - 1, clientOrderId);
    if (kind === KIND_TRADED && event.makerRemaining === 0) {
      this.flow.closed(event.makerSessionId - 1, event.makerClientOrderId);
    }
  }
}

Deno.test("OrderFlow.next() makes a market: quotes, trades, cancels, and a book that stays", () => {
  const market = new Market(7);
  const kinds = new Map<number, number>();
  const count = 20_000;
  for (let sequence = 1; sequence <= count; sequence++) {
    const { kind } = market.step(sequence);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const of = (kind: number) => (market.counts.get(kind) ?? 0) / count;
  assert((kinds.get(KIND_CANCEL_ORDER) ?? 0) > count / 10);
  assert((kinds.get(KIND_REPLACE_ORDER) ?? 0) > count / 20);
  assert(of(KIND_ACCEPTED) > 0.9, `${of(KIND_ACCEPTED)} accepted`);
  assert(of(KIND_TRADED) > 0.1, `${of(KIND_TRADED)} traded`);
  assert(of(KIND_BOOKED) > 0.3, `${of(KIND_BOOKED)} booked`);
  const { openOrders } = market.engine;
  assert(openOrders > 50 && openOrders < 2_000, `${openOrders} orders are open`);
});

Deno.test("OrderFlow.next() makes the same requests from the same seed and answers", () => {
  const run = (seed: number) => {
    const market = new Market(seed);
    return Array.from({ length: 500 }, (_, i) => market.step(i + 1));
  };
  assertEquals(run(3), run(3));
  assert(JSON.stringify(run(3)) !== JSON.stringify(run(4)));
});
