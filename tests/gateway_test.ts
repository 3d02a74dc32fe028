// The gateway with real sockets, channels and the matching engine.

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { newOrder, RawSocket, TestExchange, within } from "./_gateway.ts";
import { until } from "./fault/_support.ts";

Deno.test("Gateway acknowledges an order at its level, and tells what comes", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  using client = await RawSocket.logon(webSocketPort);
  const session = await client.next("session");
  assertEquals([session.isResumed, session.lastNumber, session.lastClientSequence], [false, 0, 0]);
  assertEquals(session.instruments[0], {
    ...{ symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 },
  });
  client.send(newOrder(1));
  client.send(newOrder(2, { side: "sell", price: "100.2", quantity: "0.2" }));
  client.send({ type: "cancel", clientSequence: 7, symbol: "BTC-USD", targetOrderId: 9 });
  await until(
    "all is told",
    () => client.told.filter(({ type }) => type !== "heartbeat").length >= 8,
  );
  const acks = client.told.filter(({ type }) => type === "ack");
  assertEquals(acks.map(({ clientSequence }) => clientSequence), [1, 2, 7]);
  assertEquals(
    acks.map(({ sequence, level }) => [sequence, level]),
    [1, 2, 3].map((n) => [
      n,
      "disk",
    ]),
  );
  const events = client.told.filter(({ eventNumber }) => eventNumber > 0);
  assertEquals(events.map(({ number }) => number), [1, 2, 3, 4, 5]);
  // A session does not trade with itself: what comes later is cancelled.
  assertEquals(events.map(({ type }) => type), [
    ...["accepted", "booked", "accepted", "cancelled", "rejected"],
  ]);
  const [accepted, , , cancelled, rejected] = events;
  assertEquals([accepted!.price, accepted!.quantity, accepted!.side], [
    ...["100.25", "0.50000000", "buy"],
  ]);
  assertEquals([cancelled!.reason, rejected!.reason], ["selfTrade", "unknownOrder"]);
  assert(accepted!.gatewayTimeNs > 0 && accepted!.engineTimeNs > accepted!.gatewayTimeNs);
});

Deno.test("Gateway tells a trade to both sessions, each with numbers of its own", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  using maker = await RawSocket.logon(webSocketPort);
  using taker = await RawSocket.logon(webSocketPort);
  maker.send(newOrder(1, { side: "sell", clientOrderId: 41 }));
  await maker.next("booked");
  taker.send(newOrder(1, { quantity: "0.2", clientOrderId: 17, orderType: "limit" }));
  const [made, taken] = [await maker.next("traded"), await taker.next("traded")];
  assertEquals([made.number, made.clientOrderId, made.side, made.liquidity, made.remaining], [
    ...[3, 41, "sell", "maker", "0.30000000"],
  ]);
  assertEquals([taken.number, taken.clientOrderId, taken.side, taken.liquidity, taken.remaining], [
    ...[2, 17, "buy", "taker", "0.00000000"],
  ]);
  assertEquals(made.eventNumber, taken.eventNumber);
  assertEquals([made.clientSequence, taken.clientSequence], [0, 1]);
});

Deno.test("Gateway sends again what a client has missed, and answers what it resends", async () => {
  await using exchange = new TestExchange();
  const engine = exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  using first = await RawSocket.logon(webSocketPort);
  const { token, sessionId } = await first.next("session");
  for (let sequence = 1; sequence <= 5; sequence++) first.send(newOrder(sequence));
  await until(
    "all is told",
    () => first.told.filter(({ eventNumber }) => eventNumber > 0).length === 10,
  );
  first.close();
  using second = await RawSocket.logon(webSocketPort, { token, lastReceived: 4 });
  const session = await second.next("session");
  assertEquals(session.isResumed, true);
  assertEquals([session.sessionId, session.lastNumber, session.lastClientSequence], [
    ...[sessionId, 10, 5],
  ]);
  for (let number = 5; number <= 10; number++) {
    const type = number % 2 === 1 ? "accepted" : "booked";
    assertEquals((await second.next(type)).number, number);
  }
  second.send(newOrder(5)); // Resent, although it was executed.
  assertEquals((await second.next("ack")).clientSequence, 5);
  const duplicate = await second.next("duplicate");
  assertEquals([duplicate.number, duplicate.clientSequence, duplicate.answer], [11, 5, "accepted"]);
  assertEquals(engine.openOrders, 5);
});

Deno.test("Gateway tells of a gap where the resend window does not reach back", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway({ resendWindow: 16 });
  using first = await RawSocket.logon(webSocketPort);
  const { token } = await first.next("session");
  for (let sequence = 1; sequence <= 20; sequence++) first.send(newOrder(sequence));
  await until(
    "all is told",
    () => first.told.filter(({ eventNumber }) => eventNumber > 0).length === 40,
  );
  using second = await RawSocket.logon(webSocketPort, { token, lastReceived: 3 });
  assertEquals(await second.next("gap"), { type: "gap", from: 4, to: 24 });
  assertEquals((await second.next("accepted")).number, 25);
});

Deno.test("Gateway gives a session to the connection that logs on last", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const gateway = await exchange.gateway();
  using first = await RawSocket.logon(gateway.webSocketPort);
  const { token } = await first.next("session");
  using second = await RawSocket.logon(gateway.webSocketPort, { token });
  assertEquals((await second.next("session")).isResumed, true);
  assertEquals((await first.next("error")).reason, "displaced");
  assertEquals((await within("the end", first.closed)).code, 1008);
  second.send(newOrder(1));
  await second.next("ack");
  await until("the first is gone", () => gateway.counts().connections === 1);
});

Deno.test("Gateway knows sessions, numbers and windows again after a restart", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const before = await exchange.gateway();
  using first = await RawSocket.logon(before.webSocketPort);
  const { token, sessionId } = await first.next("session");
  for (let sequence = 1; sequence <= 3; sequence++) first.send(newOrder(sequence));
  await until(
    "all is told",
    () => first.told.filter(({ eventNumber }) => eventNumber > 0).length === 6,
  );
  const told = first.told.filter(({ eventNumber }) => eventNumber > 0);
  await before.stop();
  assertEquals((await first.next("error")).reason, "going_away");

  const { webSocketPort, recovered } = await exchange.gateway();
  assertEquals([recovered.sessions, recovered.replayed], [1, 0]); // From the last checkpoint.
  using second = await RawSocket.logon(webSocketPort, { token });
  const session = await second.next("session");
  assertEquals([session.sessionId, session.lastNumber, session.lastClientSequence], [
    ...[sessionId, 6, 3],
  ]);
  await until("all is told", () => second.told.length >= 6);
  assertEquals(second.told.slice(0, 6), told);
  using third = await RawSocket.logon(webSocketPort);
  assertNotEquals((await third.next("session")).sessionId, sessionId);
  using stranger = await RawSocket.logon(webSocketPort, { token: "A".repeat(43) });
  assertEquals((await stranger.next("error")).reason, "unknown_session");
});

Deno.test("Gateway refuses requests above the rate, with the time to wait", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway({ ordersPerSecond: 5 });
  using client = await RawSocket.logon(webSocketPort);
  const { ordersPerSecond } = await client.next("session");
  assertEquals(ordersPerSecond, 5);
  for (let sequence = 1; sequence <= 20; sequence++) client.send(newOrder(sequence));
  // All of them, as each that comes late may take what has grown meanwhile.
  const answers = () => client.told.filter(({ type }) => type === "ack" || type === "reject");
  await until("all are answered", () => answers().length === 20);
  const { reason, retryAfterMs, text } = answers().findLast(({ type }) => type === "reject")!;
  assertEquals(reason, "rate_limited");
  assert(retryAfterMs >= 1 && retryAfterMs <= 200, `${retryAfterMs}`);
  assertMatch(text, /at most 5 in a second/);
  await new Promise((resolve) => setTimeout(resolve, retryAfterMs)); // What the gateway has asked.
  client.send(newOrder(100));
  while ((await client.next("ack")).clientSequence !== 100);
});
