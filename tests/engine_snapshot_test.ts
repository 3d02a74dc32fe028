// Snapshots of a matching engine: golden bytes, damage of every kind, and bytes that somebody has
// forged, whose hash is right.

import { createHash } from "node:crypto";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  CorruptSnapshotError,
  type EngineOptions,
  KIND_ACCEPTED,
  MatchingEngine,
  SIDE_BUY,
} from "../lib/exchange/mod.ts";
import { cancel, limit, RequestStream, snapshotOf, TestEngine } from "./_exchange.ts";

const HASH_BYTES = 32;
const OPTIONS: EngineOptions = { instruments: [{ id: 1 }, { id: 2 }], onEvent: () => {} };

/** Two sessions, three levels, four orders, and answers of both kinds. */
function golden(): Uint8Array<ArrayBuffer> {
  const engine = new TestEngine();
  engine.send(limit("buy", { clientOrderId: 1, price: 100, quantity: 5 }));
  engine.send(limit("buy", { sessionId: 2 ** 40, clientOrderId: 7, price: 100, quantity: 6 }));
  engine.send(limit("buy", { clientOrderId: 2, price: 99, quantity: 2 ** 50 }));
  engine.send(limit("sell", { clientOrderId: 3, price: 101, quantity: 8, instrumentId: 2 }));
  engine.send(cancel(9));
  return snapshotOf(engine.engine);
}

function sealed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const image = bytes.subarray(0, bytes.length - HASH_BYTES);
  const whole = new Uint8Array(bytes);
  whole.set(createHash("sha256").update(image).digest(), image.length);
  return whole;
}

function restore(bytes: Uint8Array, options = OPTIONS): MatchingEngine {
  return MatchingEngine.restore(bytes, options);
}

const GOLDEN = new URL("testdata/engine-snapshot-v1.hex", import.meta.url);

Deno.test("MatchingEngine.snapshot() writes the golden bytes", () => {
  const bytes = golden();
  const expected = Deno.readTextFileSync(GOLDEN).replaceAll(/\s/g, "");
  assertEquals(bytes.toHex(), expected);
  const hash = bytes.subarray(-HASH_BYTES).toHex();
  assertEquals(restore(bytes).stateHash(), hash);
});

Deno.test("MatchingEngine.restore() reads the golden bytes", () => {
  const engine = restore(Uint8Array.fromHex(Deno.readTextFileSync(GOLDEN).replaceAll(/\s/g, "")));
  assertEquals([engine.lastSequence, engine.lastEventNumber, engine.openOrders], [5, 9, 4]);
  const [first] = engine.restingOrders();
  assertEquals(first, {
    ...{ instrumentId: 1, sessionId: 1, side: SIDE_BUY, price: 100 },
    ...{ orderId: 1, clientOrderId: 1, remaining: 5 },
  });
});

Deno.test("MatchingEngine.snapshot() is an image that later requests do not change", () => {
  const engine = new TestEngine();
  const stream = new RequestStream(3);
  for (let i = 0; i < 100; i++) engine.send(stream.next());
  const hash = engine.engine.stateHash();
  const parts = engine.engine.snapshot()[Symbol.iterator]();
  const first = parts.next().value!;
  for (let i = 0; i < 100; i++) engine.send(stream.next());
  const rest = parts.next().value!;
  assertEquals(restore(new Uint8Array([...first, ...rest])).stateHash(), hash);
});

Deno.test("MatchingEngine.restore() refuses every truncation and every longer one", () => {
  const bytes = golden();
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => restore(bytes.subarray(0, length)), CorruptSnapshotError);
  }
  assertThrows(() => restore(new Uint8Array([...bytes, 0])), CorruptSnapshotError);
  // With a hash that is right, too.
  for (let length = HASH_BYTES; length < bytes.length; length++) {
    assertThrows(() => restore(sealed(bytes.subarray(0, length))), CorruptSnapshotError);
  }
  assertThrows(() => restore(sealed(new Uint8Array([...bytes, 0]))), CorruptSnapshotError);
});

Deno.test("MatchingEngine.restore() refuses every flipped bit", () => {
  const bytes = golden();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assertThrows(() => restore(bytes), CorruptSnapshotError);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

Deno.test("MatchingEngine.restore() takes forged bytes as a sound state, or refuses them", () => {
  const bytes = golden();
  let taken = 0;
  for (let bit = 0; bit < (bytes.length - HASH_BYTES) * 8; bit++) {
    const forged = new Uint8Array(bytes);
    forged[bit >> 3]! ^= 1 << (bit & 7);
    taken += tryForged(sealed(forged));
  }
  // Most bits are of numbers that may be others.
  assert(taken > 0);
});

Deno.test("MatchingEngine.restore() never crashes on forged bytes", () => {
  const bytes = golden();
  const spoil = fc.array(
    fc.tuple(fc.nat({ max: bytes.length - HASH_BYTES - 1 }), fc.nat({ max: 255 })),
    { minLength: 1, maxLength: 8 },
  );
  const property = fc.property(spoil, (changes) => {
    const forged = new Uint8Array(bytes);
    for (const [at, value] of changes) forged[at] = value;
    tryForged(sealed(forged));
  });
  fc.assert(property, { seed: 20_261_130, numRuns: 5_000 });
});

/** Returns 1 if the bytes were taken: then they are what the engine itself would write. */
function tryForged(bytes: Uint8Array): 0 | 1 {
  let engine: MatchingEngine;
  try {
    engine = restore(bytes);
  } catch (error) {
    const isUnknown = error instanceof TypeError && /found instrument \d+/.test(error.message);
    if (error instanceof CorruptSnapshotError || isUnknown) return 0;
    throw error;
  }
  assertEquals(snapshotOf(engine), bytes);
  return 1;
}

Deno.test("MatchingEngine.restore() refuses a crossed book", () => {
  const engine = new TestEngine();
  engine.send(limit("buy", { clientOrderId: 1, price: 100, quantity: 5 }));
  engine.send(limit("sell", { clientOrderId: 2, price: 104, quantity: 5 }));
  const bytes = snapshotOf(engine.engine);
  const at = bytes.findLastIndex((byte) => byte === 104);
  bytes[at] = 100;
  assertThrows(() => restore(sealed(bytes)), CorruptSnapshotError, "crossed");
});

Deno.test("MatchingEngine.restore() refuses what it was not given", () => {
  const one = { ...OPTIONS, instruments: [{ id: 1 }] };
  assertThrows(() => restore(golden(), one), TypeError, "instrument 2");
  assertThrows(() => restore(golden(), { ...OPTIONS, maxSessions: 1 }), TypeError, "maxSessions");
});

Deno.test("MatchingEngine.restore() keeps the newest answers if fewer are to be kept", () => {
  const fewer = new TestEngine({ answersKept: 1 }, golden());
  const again = cancel(9, { clientSequence: 4 });
  assertEquals(fewer.send(again)[0]!.answerKind, KIND_ACCEPTED + 1);
  assertEquals(fewer.send({ ...again, clientSequence: 1 })[0]!.answerKind, 0);
});
