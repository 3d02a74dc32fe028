// The matching engine against a slow and obvious one (_engine_model.ts), and against what must hold
// whatever it is asked. fast-check prints seed, path and the shortest requests that fail.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  KIND_ACCEPTED,
  KIND_CANCELLED,
  KIND_REPLACED,
  KIND_TRADED,
  OrderRequest,
} from "../lib/exchange/mod.ts";
import { EngineModel, type ModelLimits } from "./_engine_model.ts";
import { type Event, packRequest, type Request, requestOf } from "./_exchange.ts";
import { snapshotOf, TestEngine } from "./_exchange.ts";

const SEED = 20_261_129;
const LIMITS: ModelLimits = { maxOpenOrders: 12, maxSessions: 3, answersKept: 4 };
const MAX = Number.MAX_SAFE_INTEGER;

/** One of some values, mostly the first ones. */
function mostly<T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 40, arbitrary: usual }, { weight: 1, arbitrary: rare });
}

const byte = fc.nat({ max: 255 });
const wide = fc.oneof(fc.constantFrom(0, -1, MAX, -MAX, 2 ** 32, 2 ** 32 - 1), fc.maxSafeInteger());
const id = mostly(fc.integer({ min: 1, max: 6 }), fc.nat({ max: MAX }));

/** What all requests have: few sessions, which number their requests, mostly. */
const common = {
  instrumentId: mostly(fc.constantFrom(1, 1, 1, 2), fc.constantFrom(0, 3, 0xffff_ffff)),
  sessionId: mostly(fc.constantFrom(1, 2, 3), fc.constantFrom(0, 4, MAX)),
  clientSequence: mostly(fc.constant(0), fc.integer({ min: 1, max: 20 })),
  selfTradePrevention: mostly(fc.constantFrom(0, 1, 2), byte),
  reserved1: mostly(fc.constant(0), fc.nat({ max: 0xffff_ffff })),
};

const price = mostly(fc.integer({ min: 97, max: 103 }), wide);
const quantity = mostly(fc.integer({ min: 1, max: 9 }), wide);

const newOrder = fc.record({
  ...common,
  kind: fc.constant(16),
  side: mostly(fc.constantFrom(1, 2), byte),
  orderType: mostly(fc.constantFrom(1, 1, 1, 1, 2), byte),
  timeInForce: mostly(fc.constantFrom(1, 1, 1, 1, 2, 3), byte),
  flags: mostly(fc.constantFrom(0, 0, 0, 0, 1), byte),
  clientOrderId: id,
  price,
  quantity,
}).map((request) => request.orderType === 2 ? { ...request, price: 0 } : request);

const cancellation = fc.record({ ...common, kind: fc.constant(17), targetOrderId: id });

const replacement = fc.record({
  ...common,
  kind: fc.constant(18),
  flags: mostly(fc.constantFrom(0, 0, 1), byte),
  clientOrderId: id,
  targetOrderId: id,
  price,
  quantity,
});

const hostile = fc.record({
  ...{ kind: fc.oneof(fc.constantFrom(16, 17, 18), byte), side: byte, orderType: byte },
  ...{ instrumentId: byte, sessionId: fc.nat({ max: 4 }), clientSequence: fc.nat({ max: 30 }) },
  ...{ clientOrderId: fc.nat({ max: MAX }), targetOrderId: fc.nat({ max: MAX }) },
  ...{ price: wide, quantity: wide, timeInForce: byte, flags: byte, selfTradePrevention: byte },
  ...{ reserved0: byte, reserved1: byte, reserved2: byte },
});

const request: fc.Arbitrary<Partial<Request>> = fc.oneof(
  { weight: 12, arbitrary: newOrder },
  { weight: 4, arbitrary: cancellation },
  { weight: 4, arbitrary: replacement },
  { weight: 1, arbitrary: hostile },
);

const requests = fc.array(request, { minLength: 1, maxLength: 80 }).map(numbered);

/** Gives a client sequence to each request that has none: the next one of its session. */
function numbered(all: Partial<Request>[]): Request[] {
  const last = new Map<number, number>();
  return all.map((fields) => {
    const whole = requestOf(fields);
    const next = (last.get(whole.sessionId) ?? 0) + 1;
    const clientSequence = whole.clientSequence || next;
    last.set(whole.sessionId, Math.max(clientSequence, next - 1));
    return { ...whole, clientSequence };
  });
}

function check(runs: number, body: (requests: Request[]) => void): void {
  fc.assert(fc.property(requests, body), { seed: SEED, numRuns: runs });
}

Deno.test("MatchingEngine tells what the obvious engine tells, event by event", () => {
  const kinds = new Set<string>();
  check(3_000, (requests) => {
    const engine = new TestEngine(LIMITS);
    const model = new EngineModel([1, 2], LIMITS);
    for (const request of requests) {
      const events = engine.send(request);
      assertEquals(events, model.send(request));
      assertEquals(engine.engine.openOrders, model.open.length);
      for (const { kind, reason } of events) kinds.add(`${kind} ${reason}`);
    }
  });
  // So that the requests bring about whatever can be.
  assert(kinds.size >= 21, `kinds and reasons seen: ${[...kinds].sort()}`);
});

/** What the events say: open orders, and sums of quantities. */
class Ledger {
  /** Price, side and open quantity by order id. */
  readonly open = new Map<number, { side: number; price: number; remaining: number }>();
  accepted = 0n;
  traded = 0n;
  cancelled = 0n;

  note(event: Event, request: Request): void {
    const { kind, side, orderId, price, quantity, remaining } = event;
    if (kind === KIND_ACCEPTED && request.kind === 16) {
      this.accepted += BigInt(quantity);
      this.open.set(orderId, { side, price, remaining });
    }
    if (kind === KIND_REPLACED) {
      this.accepted += BigInt(remaining) - BigInt(quantity);
      this.open.set(orderId, { side, price: request.price, remaining });
    }
    if (kind === KIND_TRADED) {
      this.traded += 2n * BigInt(quantity);
      this.#set(orderId, remaining);
      assert(this.open.get(event.makerOrderId)?.price === price, "trades at the maker's price");
      this.#set(event.makerOrderId, event.makerRemaining);
    }
    if (kind === KIND_CANCELLED) {
      this.cancelled += BigInt(quantity);
      this.#set(orderId, 0);
    }
  }

  #set(orderId: number, remaining: number): void {
    const order = this.open.get(orderId)!;
    assert(remaining < order.remaining, "less is open");
    order.remaining = remaining;
    if (remaining === 0) this.open.delete(orderId);
  }
}

Deno.test("MatchingEngine conserves quantities, and never crosses a book", () => {
  check(1_000, (requests) => {
    const engine = new TestEngine();
    const ledgers = [1, 2].map(() => new Ledger());
    for (const request of requests) {
      const events = engine.send(request);
      const ledger = ledgers[request.instrumentId - 1];
      if (ledger === undefined) continue;
      for (const event of events) ledger.note(event, request);
      const orders = [...ledger.open.values()];
      const open = orders.reduce((sum, { remaining }) => sum + BigInt(remaining), 0n);
      assertEquals(ledger.accepted, ledger.traded + ledger.cancelled + open);
      const bids = orders.filter(({ side }) => side === 1).map(({ price }) => price);
      const offers = orders.filter(({ side }) => side === 2).map(({ price }) => price);
      assert(Math.max(...bids) < Math.min(...offers), "crossed");
    }
    const open = ledgers.reduce((sum, { open }) => sum + open.size, 0);
    assertEquals(engine.engine.openOrders, open);
  });
});

Deno.test("MatchingEngine goes on from a snapshot of any prefix as if nothing had been", () => {
  const cut = fc.nat({ max: 80 });
  const property = fc.property(requests, cut, (requests, at) => {
    const whole = new TestEngine(LIMITS);
    for (const request of requests.slice(0, at)) whole.send(request);
    const resumed = new TestEngine(LIMITS, snapshotOf(whole.engine));
    assertEquals(resumed.engine.stateHash(), whole.engine.stateHash());
    for (const request of requests.slice(at)) {
      assertEquals(resumed.send(request), whole.send(request));
    }
    assertEquals(resumed.engine.stateHash(), whole.engine.stateHash());
    assertEquals(resumed.engine.lastEventNumber, whole.engine.lastEventNumber);
  });
  fc.assert(property, { seed: SEED, numRuns: 1_000 });
});

Deno.test("MatchingEngine executes nothing twice when all requests come again", () => {
  check(300, (requests) => {
    const engine = new TestEngine({ answersKept: 100 });
    for (const request of requests) engine.send(request);
    const { openOrders } = engine.engine;
    for (const request of requests.filter(({ sessionId }) => sessionId > 0)) {
      assertEquals(engine.send(request).length, 1);
    }
    assertEquals(engine.engine.openOrders, openOrders);
  });
});

Deno.test("MatchingEngine answers any bytes, and keeps its state sound", () => {
  const bytes = fc.uint8Array({ minLength: OrderRequest.sizeBytes, maxLength: 88 });
  const spoilt = fc.tuple(request, fc.nat({ max: 87 }), byte).map(([fields, at, value]) => {
    const packed = packRequest(requestOf({ clientSequence: 1, ...fields }));
    packed[at] = value;
    return packed;
  });
  const property = fc.property(fc.array(fc.oneof(bytes, spoilt), { maxLength: 40 }), (all) => {
    const engine = new TestEngine();
    for (const one of all) assert(engine.sendBytes(new Uint8Array(one)).length > 0);
    const restored = new TestEngine({}, snapshotOf(engine.engine));
    assertEquals(restored.engine.stateHash(), engine.engine.stateHash());
  });
  fc.assert(property, { seed: SEED, numRuns: 1_000 });
});
