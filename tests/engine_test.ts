import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  EVENT_BOOK_CHANGED,
  EVENT_LAST,
  FLAG_POST_ONLY,
  KIND_ACCEPTED,
  KIND_BOOKED,
  KIND_CANCELLED,
  KIND_DUPLICATE,
  KIND_REJECTED,
  KIND_REPLACED,
  KIND_TRADED,
  MatchingEngine,
  OrderRequest,
  REASONS,
  SIDE_BUY,
  SIDE_SELL,
  STP_CANCEL_BOTH,
  STP_CANCEL_OLDEST,
  TIF_FOK,
  TIF_IOC,
  TYPE_MARKET,
} from "../lib/exchange/mod.ts";
import {
  cancel,
  type Event,
  limit,
  replace,
  type Request,
  requestOf,
  TestEngine,
} from "./_exchange.ts";

/** What each event says, in short. */
function brief(events: Event[]): (number | string)[][] {
  return events.map((event) => {
    const { kind, reason, orderId, price, quantity, remaining, levelQuantity, flags } = event;
    const level = (flags & EVENT_BOOK_CHANGED) === 0 ? [] : [`level ${levelQuantity}`];
    switch (kind) {
      case KIND_ACCEPTED:
        return ["accepted", orderId, price, quantity, remaining, ...level];
      case KIND_BOOKED:
        return ["booked", orderId, price, quantity, ...level];
      case KIND_TRADED:
        return ["traded", orderId, event.makerOrderId, price, quantity, ...level];
      case KIND_CANCELLED:
        return ["cancelled", orderId, reasonOf(reason), quantity, ...level];
      case KIND_REPLACED:
        return ["replaced", orderId, price, quantity, remaining, ...level];
      case KIND_REJECTED:
        return ["rejected", reasonOf(reason)];
      default:
        return ["duplicate", event.answerKind, orderId, reasonOf(reason)];
    }
  });
}

function reasonOf(reason: number): string {
  return Object.entries(REASONS).find(([, value]) => value === reason)![0];
}

/** An engine with two offers of session 1: order 1, 5 at 100, and order 2, 7 at 101. */
function withOffers(): TestEngine {
  const engine = new TestEngine();
  engine.send(limit("sell", { clientOrderId: 1, price: 100, quantity: 5 }));
  engine.send(limit("sell", { clientOrderId: 2, price: 101, quantity: 7 }));
  return engine;
}

function buy(fields: Partial<Request>): Request {
  return limit("buy", { sessionId: 2, clientOrderId: 1, ...fields });
}

Deno.test("MatchingEngine.apply() books a limit order that meets nobody", () => {
  const engine = new TestEngine();
  const events = engine.send(limit("buy", { clientOrderId: 9, price: 100, quantity: 5 }));
  assertEquals(brief(events), [["accepted", 1, 100, 5, 5], ["booked", 1, 100, 5, "level 5"]]);
  assertEquals(events.map(({ flags }) => flags), [0, EVENT_LAST | EVENT_BOOK_CHANGED]);
  assertEquals(events.map(({ eventNumber }) => eventNumber), [1, 2]);
  const [{ clientOrderId, clientSequence, orderSequence, side }] = events as [Event];
  assertEquals([clientOrderId, clientSequence, orderSequence, side], [9, 1, 1, SIDE_BUY]);
});

Deno.test("MatchingEngine.apply() trades at the resting price, the best and oldest first", () => {
  const engine = withOffers();
  engine.send(limit("sell", { clientOrderId: 3, price: 100, quantity: 1 }));
  const events = engine.send(buy({ price: 101, quantity: 8 }));
  assertEquals(brief(events), [
    ["accepted", 4, 101, 8, 8],
    ["traded", 4, 1, 100, 5, "level 1"],
    ["traded", 4, 3, 100, 1, "level 0"],
    ["traded", 4, 2, 101, 2, "level 5"],
  ]);
  const last = events.at(-1)!;
  assertEquals([last.side, last.remaining, last.makerRemaining], [SIDE_BUY, 0, 5]);
  assertEquals([last.sessionId, last.makerSessionId, last.makerClientOrderId], [2, 1, 2]);
});

Deno.test("MatchingEngine.apply() lets the rest of a limit order rest", () => {
  const events = withOffers().send(buy({ price: 100, quantity: 8 }));
  assertEquals(brief(events), [
    ["accepted", 3, 100, 8, 8],
    ["traded", 3, 1, 100, 5, "level 0"],
    ["booked", 3, 100, 3, "level 3"],
  ]);
});

Deno.test("MatchingEngine.apply() cancels what an IOC or market order leaves", () => {
  for (
    const order of [
      buy({ price: 100, quantity: 8, timeInForce: TIF_IOC }),
      buy({ orderType: TYPE_MARKET, quantity: 15 }),
      buy({ orderType: TYPE_MARKET, quantity: 15, timeInForce: TIF_IOC }),
    ]
  ) {
    const engine = withOffers();
    const events = engine.send(order);
    assertEquals(brief(events).at(-1), ["cancelled", 3, "notFilled", 3]);
    assertEquals(engine.engine.openOrders, order.orderType === TYPE_MARKET ? 0 : 1);
  }
});

Deno.test("MatchingEngine.apply() fills a fill-or-kill order in full, or not at all", () => {
  const events = withOffers().send(buy({ price: 101, quantity: 13, timeInForce: TIF_FOK }));
  assertEquals(brief(events), [["accepted", 3, 101, 13, 13], ["cancelled", 3, "notFillable", 13]]);
  const filled = withOffers().send(buy({ price: 101, quantity: 12, timeInForce: TIF_FOK }));
  assertEquals(brief(filled).slice(1).map(([kind]) => kind), ["traded", "traded"]);
});

Deno.test("MatchingEngine.apply() rejects a post-only order that would trade", () => {
  const engine = withOffers();
  const flags = FLAG_POST_ONLY;
  assertEquals(brief(engine.send(buy({ price: 100, quantity: 1, flags }))), [
    ["rejected", "wouldTrade"],
  ]);
  assertEquals(brief(engine.send(buy({ price: 99, quantity: 1, flags }))).at(-1)![0], "booked");
});

Deno.test("MatchingEngine.apply() prevents self-trades in three ways", () => {
  const own = { sessionId: 1, clientOrderId: 3, price: 101, quantity: 8 };
  assertEquals(brief(withOffers().send(buy(own))), [
    ["accepted", 3, 101, 8, 8],
    ["cancelled", 3, "selfTrade", 8],
  ]);
  assertEquals(brief(withOffers().send(buy({ ...own, selfTradePrevention: STP_CANCEL_BOTH }))), [
    ["accepted", 3, 101, 8, 8],
    ["cancelled", 1, "selfTrade", 5, "level 0"],
    ["cancelled", 3, "selfTrade", 8],
  ]);
  assertEquals(brief(withOffers().send(buy({ ...own, selfTradePrevention: STP_CANCEL_OLDEST }))), [
    ["accepted", 3, 101, 8, 8],
    ["cancelled", 1, "selfTrade", 5, "level 0"],
    ["cancelled", 2, "selfTrade", 7, "level 0"],
    ["booked", 3, 101, 8, "level 8"],
  ]);
});

Deno.test("MatchingEngine.apply() cancels an order of its session only", () => {
  const engine = withOffers();
  assertEquals(brief(engine.send(cancel(1, { sessionId: 2 }))), [["rejected", "unknownOrder"]]);
  assertEquals(brief(engine.send(cancel(1, { instrumentId: 2 }))), [["rejected", "unknownOrder"]]);
  const events = engine.send(cancel(1));
  assertEquals(brief(events), [
    ["accepted", 1, 100, 0, 5],
    ["cancelled", 1, "requested", 5, "level 0"],
  ]);
  assertEquals(events.map(({ side }) => side), [SIDE_SELL, SIDE_SELL]);
  assertEquals(brief(engine.send(cancel(1))), [["rejected", "unknownOrder"]]);
});

Deno.test("MatchingEngine.apply() keeps an order's place when its quantity shrinks", () => {
  const engine = withOffers();
  engine.send(limit("sell", { clientOrderId: 3, price: 100, quantity: 1 }));
  const events = engine.send(replace(1, { clientOrderId: 4, price: 100, quantity: 2 }));
  assertEquals(brief(events), [
    ["accepted", 1, 100, 2, 2],
    ["replaced", 1, 100, 5, 2, "level 3"],
  ]);
  const [, trade] = engine.send(buy({ price: 100, quantity: 1 }));
  assertEquals([trade!.makerOrderId, trade!.makerClientOrderId], [1, 4]);
});

Deno.test("MatchingEngine.apply() puts a larger or moved order behind the others", () => {
  const engine = withOffers();
  engine.send(limit("sell", { clientOrderId: 3, price: 100, quantity: 1 }));
  assertEquals(brief(engine.send(replace(1, { clientOrderId: 1, price: 100, quantity: 6 }))), [
    ["accepted", 1, 100, 6, 6],
    ["replaced", 1, 100, 5, 6, "level 1"],
    ["booked", 1, 100, 6, "level 7"],
  ]);
  const [, trade] = engine.send(buy({ price: 100, quantity: 1 }));
  assertEquals(trade!.makerOrderId, 3);
});

Deno.test("MatchingEngine.apply() trades a replaced order that crosses", () => {
  const engine = withOffers();
  engine.send(buy({ price: 90, quantity: 3 }));
  const change = replace(1, { sessionId: 2, clientOrderId: 2, price: 100, quantity: 6 });
  assertEquals(brief(engine.send({ ...change, flags: FLAG_POST_ONLY })), [
    ["rejected", "wouldTrade"],
  ]);
  assertEquals(brief(engine.send(change)), [
    ["accepted", 3, 100, 6, 6],
    ["replaced", 3, 90, 3, 6, "level 0"],
    ["traded", 3, 1, 100, 5, "level 0"],
    ["booked", 3, 100, 1, "level 1"],
  ]);
});

Deno.test("MatchingEngine.apply() answers a request sent again, and executes it once", () => {
  const engine = new TestEngine({ answersKept: 2 });
  const order = limit("buy", { clientSequence: 5, clientOrderId: 1, price: 100, quantity: 5 });
  engine.send(order);
  engine.send(cancel(7, { clientSequence: 6 }));
  const hash = engine.engine.stateHash();
  assertEquals(brief(engine.send(order)), [["duplicate", KIND_ACCEPTED, 1, "none"]]);
  const again = engine.send(cancel(7, { clientSequence: 6 }));
  assertEquals(brief(again), [["duplicate", KIND_REJECTED, 0, "unknownOrder"]]);
  assertEquals([again[0]!.kind, again[0]!.clientOrderId], [KIND_DUPLICATE, 7]);
  assert(engine.engine.stateHash() !== hash, "the events have numbers");
  assertEquals(engine.engine.openOrders, 1);
  assertEquals(brief(engine.send({ ...order, clientSequence: 4 })), [["rejected", "tooOld"]]);
  engine.send(cancel(8, { clientSequence: 9 }));
  assertEquals(brief(engine.send(order)), [["rejected", "tooOld"]]);
});

Deno.test("MatchingEngine.apply() refuses what it has no room for", () => {
  const engine = new TestEngine({ maxOpenOrders: 1, maxSessions: 2 });
  engine.send(limit("buy", { clientOrderId: 1, price: 100, quantity: 5 }));
  const second = limit("buy", { clientOrderId: 2, price: 100, quantity: 5 });
  assertEquals(brief(engine.send(second)), [["rejected", "engineFull"]]);
  const taker = limit("sell", { sessionId: 2, clientOrderId: 1, price: 100, quantity: 5 });
  assertEquals(brief(engine.send({ ...taker, timeInForce: TIF_IOC })).at(-1)![0], "traded");
  assertEquals(brief(engine.send({ ...taker, sessionId: 3 })), [["rejected", "engineFull"]]);
});

Deno.test("MatchingEngine.apply() refuses a level whose sum no number holds", () => {
  const engine = new TestEngine();
  const max = Number.MAX_SAFE_INTEGER;
  engine.send(limit("buy", { clientOrderId: 1, price: 100, quantity: max - 4 }));
  const add = limit("buy", { clientOrderId: 2, price: 100, quantity: 5 });
  assertEquals(brief(engine.send(add)), [["rejected", "badQuantity"]]);
  assertEquals(brief(engine.send({ ...add, quantity: 4 })).at(-1), [
    "booked",
    2,
    100,
    4,
    `level ${max}`,
  ]);
  const more = replace(2, { clientOrderId: 2, price: 100, quantity: 5 });
  assertEquals(brief(engine.send(more)), [["rejected", "badQuantity"]]);
});

Deno.test("MatchingEngine.apply() gives a reason for each kind of bad request", () => {
  const good = limit("buy", { clientOrderId: 2, price: 100, quantity: 5 });
  const bad: [Partial<Request>, keyof typeof REASONS][] = [
    [{ kind: 0 }, "badOrder"],
    [{ kind: 32 }, "badOrder"],
    [{ side: 0 }, "badOrder"],
    [{ side: 3 }, "badOrder"],
    [{ orderType: 0 }, "badOrder"],
    [{ orderType: 3 }, "badOrder"],
    [{ timeInForce: 0 }, "badOrder"],
    [{ timeInForce: 4 }, "badOrder"],
    [{ flags: 2 }, "badOrder"],
    [{ flags: FLAG_POST_ONLY, timeInForce: TIF_IOC }, "badOrder"],
    [{ flags: FLAG_POST_ONLY, orderType: TYPE_MARKET, price: 0 }, "badOrder"],
    [{ selfTradePrevention: 3 }, "badOrder"],
    [{ reserved0: 1 }, "badOrder"],
    [{ reserved1: 1 }, "badOrder"],
    [{ reserved2: 1 }, "badOrder"],
    [{ clientOrderId: 0 }, "badOrder"],
    [{ targetOrderId: 1 }, "badOrder"],
    [{ sessionId: 0 }, "badOrder"],
    [{ instrumentId: 0 }, "unknownInstrument"],
    [{ instrumentId: 3 }, "unknownInstrument"],
    [{ instrumentId: 0xffff_ffff }, "unknownInstrument"],
    [{ price: 0 }, "badPrice"],
    [{ price: -1 }, "badPrice"],
    [{ orderType: TYPE_MARKET }, "badPrice"],
    [{ quantity: 0 }, "badQuantity"],
    [{ quantity: -5 }, "badQuantity"],
    [{ clientOrderId: 1 }, "duplicateOrderId"],
  ];
  for (const [fields, reason] of bad) {
    const engine = new TestEngine();
    engine.send(limit("buy", { clientOrderId: 1, price: 1, quantity: 5 }));
    assertEquals(
      brief(engine.send({ ...good, ...fields })),
      [["rejected", reason]],
      `${JSON.stringify(fields)}`,
    );
    assertEquals(engine.engine.openOrders, 1);
  }
});

Deno.test("MatchingEngine.apply() rejects changes that have what only a new order has", () => {
  for (const fields of [{ side: 1 }, { orderType: 1 }, { timeInForce: 1 }, { targetOrderId: 0 }]) {
    const engine = withOffers();
    assertEquals(brief(engine.send(cancel(1, fields))), [["rejected", "badOrder"]]);
    const change = replace(1, { clientOrderId: 5, price: 9, quantity: 1, ...fields });
    assertEquals(brief(engine.send(change)), [["rejected", "badOrder"]]);
  }
  const engine = withOffers();
  for (const fields of [{ price: 1 }, { quantity: 1 }, { flags: 1 }]) {
    assertEquals(brief(engine.send(cancel(1, fields))), [["rejected", "badOrder"]]);
  }
  const change = replace(1, { clientOrderId: 2, price: 99, quantity: 1 });
  assertEquals(brief(engine.send(change)), [["rejected", "duplicateOrderId"]]);
  assertEquals(brief(engine.send({ ...change, price: 0 })), [["rejected", "badPrice"]]);
  assertEquals(brief(engine.send({ ...change, quantity: 0 })), [["rejected", "badQuantity"]]);
  assertEquals(brief(engine.send(cancel(1)))[0]![0], "accepted");
});

Deno.test("MatchingEngine.apply() answers bytes of any length and content", () => {
  const engine = new TestEngine();
  assertEquals(brief(engine.sendBytes(new Uint8Array(10))), [["rejected", "badOrder"]]);
  assertEquals(brief(engine.sendBytes(new Uint8Array(89))), [["rejected", "badOrder"]]);
  const [event] = engine.sendBytes(new Uint8Array(OrderRequest.sizeBytes).fill(0xff));
  assertEquals([event!.kind, event!.reason], [KIND_REJECTED, REASONS.badOrder]);
  assertEquals([event!.sessionId, event!.clientSequence, event!.gatewayTimeNs], [0, 0, 0]);
});

Deno.test("MatchingEngine.apply() throws for a wrong call, and stays as it was", () => {
  const engine = withOffers().engine;
  const hash = engine.stateHash();
  const view = new DataView(new ArrayBuffer(OrderRequest.sizeBytes));
  for (const sequence of [2, 0, -1, 2.5, NaN, Infinity]) {
    assertThrows(() => engine.apply(view, 0, sequence), RangeError, `request ${sequence}`);
  }
  assertThrows(() => engine.apply(view, 1, 3), RangeError);
  assertEquals(engine.stateHash(), hash);
  const onEvent = () => {};
  const wrong = [
    { instruments: [{ id: 0 }] },
    { instruments: [{ id: 65_536 }] },
    { instruments: [{ id: 1 }, { id: 1 }] },
    { instruments: [], maxOpenOrders: 0 },
    { instruments: [], maxSessions: NaN },
    { instruments: [], answersKept: 0.5 },
  ];
  for (const options of wrong) {
    assertThrows(() => new MatchingEngine({ ...options, onEvent }), RangeError);
  }
});

Deno.test("MatchingEngine.apply() passes times on, and what is no time as 0", () => {
  const engine = new TestEngine();
  const order = limit("buy", { clientOrderId: 1, price: 1, quantity: 1 });
  const [event] = engine.send({ ...order, intendedTimeNs: 5, gatewayTimeNs: 7.5 });
  assertEquals([event!.intendedTimeNs, event!.gatewayTimeNs], [5, 7.5]);
  for (const time of [NaN, -1, Infinity, 1e300]) {
    const [event] = engine.send(requestOf({ intendedTimeNs: time, gatewayTimeNs: time }));
    assertEquals([event!.intendedTimeNs, event!.gatewayTimeNs], [0, 0]);
  }
});
