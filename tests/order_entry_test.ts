// Requests that a gateway takes, and how it refuses the others.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  EngineEvent,
  KIND_REJECTED,
  MatchingEngine,
  OrderEntry,
  OrderRequest,
  REASONS,
} from "../lib/exchange/mod.ts";
import { describeFound } from "../lib/exchange/gateway/refusal.ts";
import { newOrder } from "./_gateway.ts";

const INSTRUMENTS = [
  { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 },
  { id: 2, symbol: "JPY", priceDecimals: 0, quantityDecimals: 0 },
];

const entry = new OrderEntry({
  find: (symbol) => INSTRUMENTS.find((instrument) => instrument.symbol === symbol),
  at: (id) => INSTRUMENTS.find((instrument) => instrument.id === id),
});
const view = new DataView(new ArrayBuffer(OrderRequest.sizeBytes));
const bytes = new Uint8Array(view.buffer);

function read(request: object) {
  return entry.readJson(request as Record<string, unknown>, view, 0);
}

const cancel = { type: "cancel", clientSequence: 3, symbol: "BTC-USD", targetOrderId: 1 };
const replace = {
  ...{ type: "replace", clientSequence: 4, symbol: "BTC-USD", clientOrderId: 2, targetOrderId: 1 },
  ...{ price: "100", quantity: "1" },
};

Deno.test("OrderEntry.readJson() writes what was asked for, exactly", () => {
  assertEquals(
    read(newOrder(9, { price: "90071992547409.91", quantity: "0.00000001" })),
    undefined,
  );
  const order = OrderRequest.accessor().wrap(view, 0);
  assertEquals([order.clientSequence, order.instrumentId], [9, 1]);
  assertEquals([order.price, order.quantity], [Number.MAX_SAFE_INTEGER, 1]);
  assertEquals([order.side, order.orderType, order.timeInForce, order.flags], [1, 1, 1, 0]);
  assertEquals(read(newOrder(1, { postOnly: true, selfTradePrevention: "cancelBoth" })), undefined);
  assertEquals([order.flags, order.selfTradePrevention], [1, 2]);
  assertEquals(read(cancel), undefined);
  assertEquals([order.kind, order.targetOrderId, order.price, order.quantity], [17, 1, 0, 0]);
  assertEquals(read(replace), undefined);
  assertEquals([order.kind, order.clientOrderId, order.price], [18, 2, 10_000]);
  const market = newOrder(1, { orderType: "market", timeInForce: "ioc", price: undefined });
  assertEquals(read(market), undefined);
  assertEquals([order.orderType, order.price], [2, 0]);
});

const WHOLE = "a whole number from 1 to 9007199254740991";
const PRICE = "a decimal above 0 with at most 2 decimals";

/** Field, what is wrong with it, and the refusal. */
const WRONG: [object, string, string][] = [
  [{ type: "NEW" }, "unknown_type", 'type: expected "new", "cancel"'],
  [{ type: 7 }, "unknown_type", "found 7"],
  [{ postonly: true }, "unknown_field", '"postonly": expected one of type, clientSequence'],
  [{ clientSequence: undefined }, "bad_client_sequence", `expected ${WHOLE}, found nothing`],
  [{ clientSequence: 0 }, "bad_client_sequence", "found 0"],
  [{ clientSequence: 1.5 }, "bad_client_sequence", "found 1.5"],
  [{ clientSequence: "1" }, "bad_client_sequence", 'found "1"'],
  [{ clientSequence: 2 ** 53 }, "bad_client_sequence", "found 9007199254740992"],
  [{ clientSequence: NaN }, "bad_client_sequence", "found NaN"],
  [{ clientSequence: [[]] }, "bad_client_sequence", "found an array"],
  [{ clientOrderId: -1 }, "bad_client_order_id", "found -1"],
  [{ clientOrderId: null }, "bad_client_order_id", "found null"],
  [{ symbol: "DOGE" }, "unknown_instrument", 'found "DOGE"'],
  [{ symbol: "__proto__" }, "unknown_instrument", 'found "__proto__"'],
  [{ symbol: { a: 1 } }, "unknown_instrument", "found an object"],
  [{ side: "BUY" }, "bad_side", 'side: expected "buy" (1) or "sell" (2), found "BUY"'],
  [{ side: "" }, "bad_side", 'found ""'],
  [{ side: 1 }, "bad_side", "found 1"],
  [{ orderType: "stop" }, "bad_order_type", 'found "stop"'],
  [{ timeInForce: "day" }, "bad_time_in_force", 'found "day"'],
  [{ price: 100.25 }, "bad_price", `price: expected ${PRICE}, found 100.25`],
  [{ price: "100.255" }, "bad_price", 'found "100.255"'],
  [{ price: "-1" }, "bad_price", 'found "-1"'],
  [{ price: "0" }, "bad_price", 'found "0"'],
  [{ price: "0.00" }, "bad_price", 'found "0.00"'],
  [{ price: "1e5" }, "bad_price", 'found "1e5"'],
  [{ price: "NaN" }, "bad_price", 'found "NaN"'],
  [{ price: "Infinity" }, "bad_price", 'found "Infinity"'],
  [{ price: " 1" }, "bad_price", 'found " 1"'],
  [{ price: "0x10" }, "bad_price", 'found "0x10"'],
  [{ price: "1\u0000" }, "bad_price", 'found "1\\u0000"'],
  [{ price: "١" }, "bad_price", 'found "\\u0661"'],
  [{ price: "90071992547409.92" }, "bad_price", "found"],
  [{ price: "9".repeat(4000) }, "bad_price", `found "${"9".repeat(32)}\\u2026"`],
  [{ price: undefined }, "bad_price", "found nothing"],
  [{ quantity: "0.000000001" }, "bad_quantity", "at most 8 decimals"],
  [{ quantity: "" }, "bad_quantity", 'found ""'],
  [{ quantity: true }, "bad_quantity", "found true"],
  [{ postOnly: "yes" }, "bad_flags", 'postOnly: expected true or false, found "yes"'],
  [{ postOnly: true, timeInForce: "ioc" }, "bad_flags", 'found "limit ioc"'],
  [{ orderType: "market" }, "bad_price", "none in a market order"],
  [{ selfTradePrevention: "never" }, "bad_self_trade_prevention", 'found "never"'],
  [{ intendedTimeNs: -1 }, "bad_intended_time", "found -1"],
  [{ intendedTimeNs: Infinity }, "bad_intended_time", "found Infinity"],
  [{ intendedTimeNs: "now" }, "bad_intended_time", 'found "now"'],
];

Deno.test("OrderEntry.readJson() refuses a wrong field by its name and value", () => {
  for (const [fields, reason, text] of WRONG) {
    const refusal = read(newOrder(1, fields));
    assertEquals(refusal?.reason, reason, JSON.stringify(fields));
    assert(refusal!.text.includes(text), `${refusal!.text} does not say ${text}`);
    assert(refusal!.text.length < 300, refusal!.text);
  }
  assertEquals(read({ ...cancel, targetOrderId: 0 })?.reason, "bad_target_order_id");
  assertEquals(read({ ...cancel, price: "1" })?.reason, "unknown_field");
  assertEquals(read({ ...replace, price: undefined })?.reason, "bad_price");
  assertEquals(read({})?.reason, "unknown_type");
});

Deno.test("OrderEntry.readJson() refuses any JSON, or writes an order that is one", () => {
  const words = fc.constantFrom("buy", "sell", "limit", "market", "gtc", "ioc", "fok", "BTC-USD");
  const value = fc.oneof(
    { weight: 4, arbitrary: words },
    { weight: 2, arbitrary: fc.nat() },
    { weight: 2, arbitrary: fc.nat().map((n) => `${n}.${n % 100}`) },
    { weight: 2, arbitrary: fc.jsonValue() },
  );
  const request = fc.record(
    Object.fromEntries(Object.keys(newOrder(1)).map((name) => [name, value])),
    { requiredKeys: [] },
  );
  const mixed = fc.tuple(request, fc.constantFrom("new", "cancel", "replace"), fc.boolean())
    .map(([fields, type, isLikely]) => isLikely ? { ...newOrder(1), ...fields, type } : fields);
  fc.assert(
    fc.property(fc.oneof(mixed, fc.dictionary(fc.string(), fc.jsonValue())), (request) => {
      const refusal = read(request);
      if (refusal === undefined) return assertEquals(entry.check(view, 0), undefined);
      assert(/^[\x20-\x7e]+$/.test(refusal.text), "a refusal is not plain ASCII");
      assert(refusal.text.includes("expected") && refusal.text.length < 400, refusal.text);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("OrderEntry.readJson() keeps every decimal exactly", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (units) => {
    const digits = String(units).padStart(3, "0");
    const price = `${digits.slice(0, -2)}.${digits.slice(-2)}`;
    assertEquals(read(newOrder(1, { price })), undefined);
    assertEquals(OrderRequest.accessor().wrap(view, 0).price, units);
  }));
});

/** What the engine says of the bytes: a reason, if it rejects them. */
function engineReason(): number {
  let reason = 0;
  const event = EngineEvent.accessor();
  const engine = new MatchingEngine({
    ...{ instruments: INSTRUMENTS, maxOpenOrders: 16, maxSessions: 16 },
    onEvent(view, offset) {
      const { kind, reason: found } = event.wrap(view, offset);
      if (kind === KIND_REJECTED) reason = found;
    },
  });
  OrderRequest.accessor().wrap(view, 0).sessionId = 1;
  engine.apply(view, 0, 1);
  return reason;
}

const BAD: number[] = [
  ...[REASONS.badOrder, REASONS.badPrice, REASONS.badQuantity, REASONS.unknownInstrument],
];

Deno.test("OrderEntry.check() lets nothing through that the engine refuses", () => {
  const flips = fc.array(fc.tuple(fc.nat(OrderRequest.sizeBytes - 1), fc.nat(255)), {
    ...{ maxLength: 4 },
  });
  const base = fc.constantFrom(newOrder(1), newOrder(1, { postOnly: true }), cancel, replace);
  let taken = 0;
  fc.assert(
    fc.property(
      base,
      flips,
      fc.uint8Array({ minLength: 88, maxLength: 88 }),
      fc.boolean(),
      (...[request, flips, noise, isNoise]) => {
        read(request);
        if (isNoise) bytes.set(noise);
        for (const [at, value] of flips) bytes[at] = value;
        const refusal = entry.check(view, 0);
        if (refusal !== undefined) return;
        taken++;
        assert(!BAD.includes(engineReason()), `the engine refuses ${bytes.toHex()}`);
      },
    ),
    { numRuns: 5_000 },
  );
  assert(taken > 100, "hardly any order was taken");
});

Deno.test("describeFound() is short plain ASCII whatever was found", () => {
  fc.assert(fc.property(fc.anything(), (found) => {
    const text = describeFound(found);
    assert(/^[\x20-\x7e]*$/.test(text), text);
    assert(text.length < 250, text);
  }));
});
