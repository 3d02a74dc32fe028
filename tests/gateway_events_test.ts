// Hostile messages where a gateway expects the engine's events: none ends it, and none is told.

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  EngineEvent,
  GATEWAY_COUNTERS,
  KIND_ACCEPTED,
  KIND_DUPLICATE,
  offsetsOf,
} from "../lib/exchange/mod.ts";
import { SESSIONS_PER_GATEWAY } from "../lib/exchange/gateway/gateway_sessions.ts";
import { openCounters, readCounters } from "../lib/observability/mod.ts";
import { CorruptLogError, openProducer } from "../mod.ts";
import { newOrder, RawSocket, TestExchange, within } from "./_gateway.ts";
import { until } from "./fault/_support.ts";

const AT = offsetsOf(EngineEvent);

/** Writes a sound event with some of it changed. */
function publish(
  { events }: TestExchange,
  fields: object,
  spoil: (bytes: Uint8Array<ArrayBuffer>, view: DataView) => Uint8Array<ArrayBuffer> = (bytes) =>
    bytes,
): void {
  const bytes = new Uint8Array(EngineEvent.sizeBytes);
  const view = new DataView(bytes.buffer);
  Object.assign(EngineEvent.accessor().wrap(view, 0), {
    ...{ kind: KIND_ACCEPTED, side: 1, instrumentId: 1, orderSequence: 1, clientSequence: 1 },
    ...{ clientOrderId: 1, price: 100, quantity: 5, remaining: 5 },
    ...{ eventNumber: events.stats().nextSequence, ...fields },
  });
  using producer = openProducer(events);
  producer.write(spoil(bytes, view));
}

/** Writes everything that is no event, each time as of this session. Returns how many it were. */
function publishMalformed(exchange: TestExchange, sessionId: number): number {
  const before = exchange.events.stats().nextSequence;
  const next = () => exchange.events.stats().nextSequence;
  publish(exchange, { sessionId }, (bytes) => bytes.subarray(0, -1));
  publish(exchange, { sessionId }, (bytes) => Uint8Array.of(...bytes, 0));
  publish(exchange, { sessionId }, () => new Uint8Array(0));
  for (const kind of [0, KIND_ACCEPTED - 1, KIND_DUPLICATE + 1]) {
    publish(exchange, { sessionId, kind });
  }
  for (const step of [-1, 1]) publish(exchange, { sessionId, eventNumber: next() + step });
  for (const { name, type } of EngineEvent.fields) {
    const at = AT[name as keyof typeof AT];
    if (type === "u64" || type === "i64") {
      for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
        publish(exchange, { sessionId }, (bytes, view) => {
          view.setBigUint64(at, value, true);
          return bytes;
        });
      }
    } else if (type === "f64") {
      for (const value of [NaN, Infinity]) publish(exchange, { sessionId, [name]: value });
    }
  }
  return next() - before;
}

Deno.test("Gateway passes over what is no event, and numbers the others as before", async () => {
  await using exchange = new TestExchange();
  const place = { directory: exchange.directory };
  using counters = openCounters("gateway", GATEWAY_COUNTERS, place);
  const before = await exchange.gateway({ counters });
  using first = await RawSocket.logon(before.webSocketPort);
  const { token, sessionId } = await first.next("session");
  first.send(newOrder(1));
  await first.next("ack");
  const count = publishMalformed(exchange, sessionId);
  publish(exchange, { sessionId });
  const { number, eventNumber } = await first.next("accepted");
  assertEquals([number, eventNumber], [1, count + 1]);
  const malformed = () =>
    readCounters(place)[0]?.values.find(({ name }) => name === "gateway_malformed_events_total")
      ?.value;
  assertEquals(malformed(), count);
  assertEquals(exchange.problems.length, 1, "however many there are");
  assertStringIncludes(exchange.problems[0]!, 'message 1 of channel "engine.events"');
  assertStringIncludes(exchange.problems[0]!, "found a length of 151 bytes");
  await before.stop();

  // All of it is read again, and the last id that this gateway could give out is used up.
  Deno.removeSync(`${exchange.directory}/gateway-1/checkpoints`, { recursive: true });
  publish(exchange, { sessionId: 2 * SESSIONS_PER_GATEWAY - 1 });
  const after = await exchange.gateway({ counters });
  assertEquals(malformed(), 2 * count);
  using second = await RawSocket.logon(after.webSocketPort, { token, lastReceived: 0 });
  assertEquals((await second.next("accepted")).number, 1);
  using third = await RawSocket.logon(after.webSocketPort);
  assertEquals((await third.next("error")).reason, "too_many_sessions");
});

Deno.test("Gateway ends where an event knows of a request that is not there", async () => {
  await using exchange = new TestExchange();
  const gateway = await exchange.gateway();
  using client = await RawSocket.logon(gateway.webSocketPort);
  const { sessionId } = await client.next("session");
  publish(exchange, { sessionId, orderSequence: 1000 });
  const ended = within("its end", gateway.ended);
  await assertRejects(() => ended, CorruptLogError, "expected sequence 1000");
  await gateway.stop();
  await until("it is gone", () => gateway.counts().connections === 0);
  await assertRejects(() => exchange.gateway(), CorruptLogError, "expected sequence 1000");
});
