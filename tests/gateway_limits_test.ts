// What bounds a gateway's clients: deadlines, heartbeats, counts, and bytes that nobody reads.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connectGateway } from "../lib/exchange/mod.ts";
import { newOrder, RawSocket, RawTcp, restingOrder, TestExchange } from "./_gateway.ts";
import { until } from "./fault/_support.ts";
import { HANDSHAKE } from "./_web_socket.ts";

Deno.test("Gateway ends connections that do not log on in time", async () => {
  await using exchange = new TestExchange();
  const gateway = await exchange.gateway({ logonTimeoutMs: 100 });
  const { webSocketPort, tcpPort } = gateway;
  using half = await RawTcp.connect(webSocketPort);
  await half.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
  assertMatch(await half.readText(), /^HTTP\/1\.1 408 .*logon_timeout: logon: expected within/s);
  using silent = await RawTcp.connect(tcpPort!);
  assertStringIncludes(await silent.readText(), "logon_timeout");
  // On a busy machine the time may be over before the WebSocket is open.
  let [text, tries] = ["", 0];
  for (; !text.startsWith("HTTP/1.1 101 "); tries++) {
    using open = await RawTcp.connect(webSocketPort);
    await open.send(HANDSHAKE);
    text = await open.readText();
    assertStringIncludes(text, "logon_timeout");
  }
  assertStringIncludes(text, '"type":"error"');
  await until("they are gone", () => gateway.counts().connections === 0);
  assertEquals(gateway.counts().refused, { logon_timeout: 2 + tries });
});

Deno.test("Gateway sends heartbeats, and ends a session's connection that is silent", async () => {
  await using exchange = new TestExchange();
  const { webSocketPort } = await exchange.gateway({ heartbeatMs: 50 });
  using client = await RawSocket.logon(webSocketPort);
  assertEquals((await client.next("session")).heartbeatMs, 50);
  assertEquals((await client.next("heartbeat")).number, 0);
  const { reason, text } = await client.next("error");
  assertEquals(reason, "heartbeat_timeout");
  assertStringIncludes(text, "every 50 ms");
});

Deno.test("Gateway refuses connections above the limit until there is room", async () => {
  await using exchange = new TestExchange();
  const gateway = await exchange.gateway({ maxConnections: 2 });
  const { webSocketPort, tcpPort } = gateway;
  const first = await RawSocket.logon(webSocketPort);
  using second = await RawSocket.logon(webSocketPort);
  await first.next("session");
  await second.next("session");
  using third = await RawTcp.connect(webSocketPort);
  assertMatch(await third.readText(), /^HTTP\/1\.1 503 .*too_many_connections/s);
  using fourth = await RawTcp.connect(tcpPort!);
  assertStringIncludes(await fourth.readText(), "too_many_connections");
  first.close();
  await until("there is room", () => gateway.counts().connections === 1);
  using fifth = await RawSocket.logon(webSocketPort);
  await fifth.next("session");
});

Deno.test("Gateway forgets sessions that were never used before it refuses new ones", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const gateway = await exchange.gateway({ maxSessions: 2 });
  const { webSocketPort } = gateway;
  const unused = await RawSocket.logon(webSocketPort);
  const { token } = await unused.next("session");
  unused.close();
  await until("it is gone", () => gateway.counts().connections === 0);
  using used = await RawSocket.logon(webSocketPort);
  used.send(newOrder(1));
  await used.next("ack");
  using another = await RawSocket.logon(webSocketPort); // In the place of the one without use.
  another.send(newOrder(1));
  await another.next("ack");
  using forgotten = await RawSocket.logon(webSocketPort, { token });
  assertEquals((await forgotten.next("error")).reason, "unknown_session");
  using beyond = await RawSocket.logon(webSocketPort);
  assertEquals((await beyond.next("error")).reason, "too_many_sessions");
  assertEquals(gateway.counts().sessions, 2);
});

/** A frame of text with a mask of zeros. */
function textFrame(value: object): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(JSON.stringify(value));
  const length = [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Uint8Array.from([0x81, ...length, 0, 0, 0, 0, ...payload]);
}

Deno.test("Gateway disconnects a client that does not read, and lets it resume", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const gateway = await exchange.gateway({ outboxBytesMax: 16_384, ordersPerSecond: 1_000_000 });
  const url = `ws://127.0.0.1:${gateway.webSocketPort}/`;
  using other = await connectGateway({ url });
  const first = await connectGateway({ url });
  for (let id = 1; id <= 200; id++) first.send(restingOrder(id));
  await until("all is told", () => first.lastReceived === 400);
  const { token } = first.session!;
  first.close();

  using slow = await RawTcp.connect(gateway.webSocketPort);
  await slow.send(HANDSHAKE);
  await slow.send(textFrame({ type: "logon", token, lastReceived: 0 }));
  // Each is answered by a reject, and nobody reads that.
  const bad = textFrame({ type: "new", clientSequence: 1, x: "" });
  for (let sent = 0; gateway.counts().refused.slow_client === undefined; sent++) {
    await slow.send(bad).catch(() => {}); // It may just have ended.
    if (sent % 100 === 0) other.send(restingOrder(sent + 1));
    if (sent % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  await other.idle();
  assertStringIncludes(await slow.readText(), '"reason":"slow_client"');

  const numbers: number[] = [];
  const onEvent = ({ number }: { number: number }) => void numbers.push(number);
  using resumed = await connectGateway({ url, token, onEvent });
  await until("all is told", () => resumed.lastReceived === 400);
  assertEquals(numbers, Array.from({ length: 400 }, (_, index) => index + 1));
});
