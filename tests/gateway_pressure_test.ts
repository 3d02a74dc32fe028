// A gateway whose channel takes nothing more: it says so or makes clients wait, and loses nothing.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connectGateway, type GatewayClient } from "../lib/exchange/mod.ts";
import { openConsumer } from "../mod.ts";
import { newOrder, RawSocket, restingOrder, TestExchange } from "./_gateway.ts";
import { until } from "./fault/_support.ts";

Deno.test("Gateway rejects orders while the ring is full, naming who holds it up", async () => {
  await using exchange = new TestExchange({ sizeBytes: 4096 });
  using engine = openConsumer(exchange.orders, { name: "engine", from: "earliest" });
  const { webSocketPort } = await exchange.gateway();
  using client = await RawSocket.logon(webSocketPort);
  let sequence = 0;
  while (!client.told.some(({ type }) => type === "reject")) {
    client.send(newOrder(++sequence));
    await new Promise((resolve) => setTimeout(resolve));
  }
  const published = exchange.orders.stats().nextSequence - 1;
  const first = await client.next("reject");
  assertEquals([first.reason, first.clientSequence], ["back_pressured", published + 1]);
  assertEquals(first.retryAfterMs, 10);
  // As long as the log's writer is as far behind, it may be named as well.
  const others = () => exchange.orders.stats().consumers.filter(({ name }) => name !== "engine");
  await until("all is written", () => others().every(({ lagMessages }) => lagMessages === 0));
  client.send(newOrder(++sequence));
  let reject = await client.next("reject");
  while (reject.clientSequence !== sequence) reject = await client.next("reject");
  assertStringIncludes(reject.text, 'as "engine" is behind');
  let seen = 0;
  await until("all is seen", () => {
    seen += engine.poll(() => {});
    return seen === published;
  });
  client.send(newOrder(++sequence));
  while ((await client.next("ack")).clientSequence !== sequence);
});

Deno.test("Gateway reads no further from a binary client while the ring is full", async () => {
  await using exchange = new TestExchange({ sizeBytes: 4096 });
  const stopped = openConsumer(exchange.orders, { name: "engine", from: "earliest" });
  const gateway = await exchange.gateway({ ordersPerSecond: 1_000_000 });
  const acked = new Set<number>();
  const rejected: unknown[] = [];
  using client = await connectGateway({
    url: `tcp://127.0.0.1:${gateway.tcpPort}`,
    onAck: ({ clientSequence }) => void acked.add(clientSequence),
    onReject: (reject) => void rejected.push(reject),
  });
  const capacity = 4096 / 128;
  for (let id = 1; id <= 1000; id++) client.send(restingOrder(id));
  await until("the ring is full", () => acked.size > 0 && gateway.counts().orders >= capacity - 4);
  using other = await RawSocket.logon(gateway.webSocketPort); // Whom nobody makes wait.
  await other.next("session");
  assertEquals(rejected, []);
  stopped.close();
  const engine = exchange.startEngine();
  await client.idle();
  assertEquals([acked.size, rejected.length], [1000, 0]);
  await until("all is told", () => client.lastReceived === 2000);
  assertEquals(engine.openOrders, 1000);
});

Deno.test("Gateway rejects orders while the log is full, and loses none", async () => {
  await using exchange = new TestExchange({ retention: { maxBytes: "512KB" } });
  using behind = openConsumer(exchange.orders, { name: "behind", onSlow: "spill" });
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway({ ordersPerSecond: 1_000_000 });
  const rejects: { reason: string; retryAfterMs?: number }[] = [];
  let acked = 0;
  using client = await connectGateway({
    url: `ws://127.0.0.1:${webSocketPort}/`,
    onReject: (reject) => void rejects.push(reject),
    onAck: () => void acked++,
  });
  let id = 0;
  const isFull = () => exchange.orders.stats().log!.state === "full";
  while (rejects.length === 0) {
    for (let count = 0; count < 500; count++) client.send(restingOrder(++id));
    // No faster than the disk takes them: the ring must not be full before the log is.
    await until("they are answered", () => acked + rejects.length === id || isFull());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertEquals([rejects[0]!.reason, rejects[0]!.retryAfterMs], ["wal_full", 1000]);
  // What the ring had taken before it was known is acknowledged when the disk has it, not before.
  const { durable } = exchange.orders.stats().log!;
  assert(acked <= durable, `${acked} acknowledged, ${durable} durable`);
  await until("all is read", () => {
    behind.poll(() => {});
    return behind.delivered >= durable;
  });
  behind.keep(durable);
  await client.idle();
  assertEquals(acked + rejects.length, id);
  client.send(restingOrder(++id));
  await client.idle();
  assertEquals(acked + rejects.length, id);
});

Deno.test("two gateways share the channels, and give out no session twice", async () => {
  await using exchange = new TestExchange();
  const engine = exchange.startEngine();
  const gateways = [await exchange.gateway(), await exchange.gateway({ gatewayId: 2 })];
  const clients: GatewayClient[] = [];
  for (const { webSocketPort } of gateways) {
    for (let client = 0; client < 3; client++) {
      clients.push(await connectGateway({ url: `ws://127.0.0.1:${webSocketPort}/` }));
    }
  }
  for (let id = 1; id <= 50; id++) {
    for (const client of clients) client.send(restingOrder(id));
  }
  for (const client of clients) await client.idle();
  await until("all is told", () => clients.every(({ lastReceived }) => lastReceived === 100));
  const ids = clients.map(({ session }) => session!.sessionId);
  assertEquals(new Set(ids).size, clients.length);
  assertEquals(ids.map((id) => Math.floor(id / 2 ** 32)), [1, 1, 1, 2, 2, 2]);
  assertEquals(engine.openOrders, 300);
  assert(gateways.every((gateway) => gateway.counts().acknowledged === 150));
  for (const client of clients) client.close();
});

Deno.test("Client sends nothing again behind newer requests that were taken", async () => {
  await using exchange = new TestExchange();
  const engine = exchange.startEngine();
  const { webSocketPort } = await exchange.gateway({ ordersPerSecond: 5 });
  const acked = new Set<number>();
  const rejected = new Set<number>();
  const reasons: unknown[] = [];
  using client = await connectGateway({
    url: `ws://127.0.0.1:${webSocketPort}/`,
    onAck: ({ clientSequence }) => void acked.add(clientSequence),
    onReject: ({ clientSequence }) => void rejected.add(clientSequence!),
    onEvent: ({ reason }) => reason !== undefined && void reasons.push(reason),
  });
  client.disconnect();
  for (let id = 1; id <= 20; id++) client.send(restingOrder(id));
  client.disconnect(); // They are sent again, as far as it can tell.
  await until("the first are taken", () => acked.size > 0);
  for (let id = 21, newer = 0; !acked.has(newer); id++) {
    newer = client.send(restingOrder(id));
    await until("it is answered", () => acked.has(newer) || rejected.has(newer));
  }
  await client.idle(); // All is answered, but perhaps not executed yet.
  await until(
    "what was acknowledged is executed",
    () => engine.openOrders === acked.size || reasons.length > 0,
  );
  assertEquals(reasons, []);
  assert(rejected.size > 0);
});
