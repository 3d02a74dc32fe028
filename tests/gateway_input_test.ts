// Hostile input at both borders of a gateway: a clear refusal, nothing lost, the service alive.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as layouts from "../lib/exchange/mod.ts";
import { newOrder, RawSocket, RawTcp, TestExchange, within } from "./_gateway.ts";
import { until } from "./fault/_support.ts";
import { HANDSHAKE } from "./_web_socket.ts";

function frame(type: number, payload = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(layouts.FRAME_HEADER_BYTES + payload.length);
  layouts.writeFrameHeader(new DataView(bytes.buffer), 0, type, payload.length);
  bytes.set(payload, layouts.FRAME_HEADER_BYTES);
  return bytes;
}

const LOGON = frame(layouts.FRAME_LOGON, new Uint8Array(layouts.WireLogon.sizeBytes));

const LOGOUT = layouts.FRAME_LOGOUT;
const QUANTITY_AT = layouts.FRAME_HEADER_BYTES +
  layouts.OrderRequest.fields.find(({ name }) => name === "quantity")!.offset;

/** An order in bytes. */
function orderFrame(fields: object): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(layouts.OrderRequest.sizeBytes);
  const order = layouts.OrderRequest.accessor().wrap(new DataView(bytes.buffer), 0);
  Object.assign(order, {
    ...{ kind: layouts.KIND_NEW_ORDER, side: 1, orderType: 1, timeInForce: 1, instrumentId: 1 },
    ...{ clientSequence: 1, clientOrderId: 1, price: 100, quantity: 100, ...fields },
  });
  return frame(layouts.FRAME_ORDER, bytes);
}

/** Reason and text of each reject and error in what a gateway has sent. */
function refusalsOf(bytes: Uint8Array<ArrayBuffer>): string[] {
  const reader = new layouts.FrameReader(layouts.GATEWAY_PAYLOAD_BYTES_MAX);
  const view = new DataView(bytes.buffer);
  const refusals: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = reader.read(view, at, bytes.length);
    assert(size > 0, "the gateway has sent half a frame");
    at += size;
    if (reader.type !== layouts.FRAME_REJECT && reader.type !== layouts.FRAME_ERROR) continue;
    const { reason } = layouts.WireReject.accessor().wrap(view, reader.payloadAt);
    const from = reader.payloadAt + layouts.WireReject.sizeBytes;
    const text = new TextDecoder().decode(
      bytes.subarray(from, reader.payloadAt + reader.payloadBytes),
    );
    refusals.push(`${reason}: ${text}`);
  }
  return refusals;
}

/** Checks that a client is served as if nothing had been. */
async function checkAlive(exchange: TestExchange, port: number): Promise<void> {
  const before = exchange.orders.stats().nextSequence;
  using client = await RawSocket.logon(port);
  client.send(newOrder(1));
  const told = (type: string) => client.told.find((message) => message.type === type);
  await until("it is answered", () => told("ack") !== undefined && told("accepted") !== undefined);
  assertEquals([told("ack")!.sequence, told("accepted")!.number], [before, 1]);
}

Deno.test("Gateway refuses JSON that is no request, and goes on with the connection", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  using client = await RawSocket.logon(webSocketPort);
  const bombs: [string | object, string, number | null][] = [
    ["", "bad_json", null],
    ["{", "bad_json", null],
    ["[".repeat(4096), "bad_json", null],
    ["[".repeat(2000) + "]".repeat(2000), "bad_message", null],
    ['{"a":'.repeat(600) + "1" + "}".repeat(600), "unknown_type", null],
    ["null", "bad_message", null],
    ["1e999", "bad_message", null],
    ['"new"', "bad_message", null],
    ["{}", "unknown_type", null],
    ['{"type":"new","__proto__":{"clientSequence":1}}', "unknown_field", null],
    ['{"type":"new","clientSequence":NaN}', "bad_json", null],
    [newOrder(7, { price: -1 }), "bad_price", 7],
    [newOrder(8, { quantity: "99999999999999999999" }), "bad_quantity", 8],
    [newOrder(9, { symbol: "NONE" }), "unknown_instrument", 9],
    [newOrder(10, { clientOrderId: {} }), "bad_client_order_id", 10],
    [JSON.stringify(newOrder(11)).replace("11", "1e400"), "bad_client_sequence", null],
  ];
  for (const [text, reason, clientSequence] of bombs) {
    client.send(text);
    const reject = await client.next("reject");
    assertEquals([reject.reason, reject.clientSequence], [reason, clientSequence], `${text}`);
    assertEquals(reject.retryAfterMs, undefined);
    assertStringIncludes(reject.text, "expected");
  }
  assertEquals(exchange.orders.stats().nextSequence, 1, "a refused request was published");
  client.send(newOrder(11));
  assertEquals((await client.next("ack")).clientSequence, 11);
});

Deno.test("Gateway ends a WebSocket that breaks the protocol, and says why", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  const logon = { type: "logon" };
  const order = newOrder(1);
  const breaches: [(object | string | Uint8Array<ArrayBuffer>)[], string, number][] = [
    [["x".repeat(4097)], "frame_too_large", 1009],
    [["x".repeat(3_000_000)], "frame_too_large", 1009],
    [[new Uint8Array(10)], "protocol_violation", 1002],
    [[order], "not_logged_on", 1008],
    [["{"], "not_logged_on", 1008],
    [[{ ...logon, token: "secret" }], "bad_logon", 1008],
    [[{ ...logon, token: 1 }], "bad_logon", 1008],
    [[{ ...logon, lastReceived: -1 }], "bad_logon", 1008],
    [[{ ...logon, lastReceived: 1 }], "bad_logon", 1008],
    [[{ ...logon, user: "me" }], "bad_logon", 1008],
    [[logon, logon], "bad_logon", 1008],
  ];
  for (const [messages, reason, code] of breaches) {
    using client = new RawSocket(webSocketPort);
    await client.opened();
    for (const message of messages) client.send(message);
    const error = await client.next("error");
    assertEquals(error.reason, reason);
    assert(!error.text.includes("secret"), "a token was told");
    assertEquals((await within("the end", client.closed)).code, code);
  }
  await checkAlive(exchange, webSocketPort);
});

Deno.test("Gateway refuses what is no WebSocket with an HTTP status", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  const requests: [string, number, string][] = [
    ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426, "expected a WebSocket"],
    ["POST / HTTP/1.1\r\n\r\n", 400, "expected a GET"],
    ["\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "expected a GET"],
    [ // A page whose name leads here, as its own origin.
      HANDSHAKE.replace("127.0.0.1", "evil.example\r\nOrigin: http://evil.example"),
      ...[403, "a loopback name as Host"] as const,
    ],
    [HANDSHAKE.replace("Host", `Origin: http://evil.example\r\nHost`), 403, "another origin"],
    [`GET / HTTP/1.1\r\nX: ${"x".repeat(9000)}`, 431, "at most 8192 bytes"],
  ];
  for (const [request, status, text] of requests) {
    using client = await RawTcp.connect(webSocketPort);
    await client.send(request);
    const response = await client.readText();
    assertStringIncludes(response, `HTTP/1.1 ${status} `);
    assertStringIncludes(response, text);
  }
  // Frames that no browser sends: without a mask, with reserved bits, in a wrong order.
  for (const bytes of [[0x81, 0x00], [0xc1, 0x80, 0, 0, 0, 0], [0x80, 0x80, 0, 0, 0, 0]]) {
    using client = await RawTcp.connect(webSocketPort);
    await client.send(HANDSHAKE);
    await client.send(Uint8Array.from(bytes));
    assertMatch(await client.readText(), /"reason":"protocol_violation","text":"(frame|message)/);
  }
  await checkAlive(exchange, webSocketPort);
});

Deno.test("Gateway refuses orders in bytes that are none, and goes on", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort, tcpPort } = await exchange.gateway();
  using client = await RawTcp.connect(tcpPort!);
  await client.send(LOGON);
  const wrong: [object, RegExp][] = [
    [{ kind: 99 }, /^unknown_type: kind: expected 16, 17 or 18, found 99$/],
    [{ side: 3 }, /^bad_side: .*found 3$/],
    [{ instrumentId: 77 }, /^unknown_instrument: .*found 77$/],
    [{ price: -5 }, /^bad_price: /],
    [{ quantity: 0 }, /^bad_quantity: .*found 0$/],
    [{ clientSequence: 0 }, /^bad_client_sequence: .*found 0$/],
    [{ intendedTimeNs: NaN }, /^bad_intended_time: .*found NaN$/],
    [{ reserved1: 1 }, /^bad_reserved: reserved1: expected zero, found 1$/],
    [{ flags: 0xff }, /^bad_flags: /],
  ];
  for (const [fields] of wrong) await client.send(orderFrame(fields));
  const huge = orderFrame({});
  huge.fill(0xff, QUANTITY_AT, QUANTITY_AT + 8);
  await client.send(huge);
  await client.send(orderFrame({}));
  await client.send(frame(LOGOUT));
  const refusals = refusalsOf(await client.readAll());
  wrong.forEach(([, expected], i) => assertMatch(refusals[i]!, expected));
  assertMatch(refusals.at(-1)!, /^bad_quantity: quantity: expected at most 9007199254740991/);
  assertEquals(refusals.length, wrong.length + 1);
  assertEquals(exchange.orders.stats().nextSequence, 2, "the good order was not published");
  await checkAlive(exchange, webSocketPort);
});

Deno.test("Gateway ends a TCP connection whose bytes are no frames", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort, tcpPort } = await exchange.gateway();
  const noise = crypto.getRandomValues(new Uint8Array(4096)).fill(0xee, 0, 4);
  const breaches: [Uint8Array<ArrayBuffer>[], RegExp][] = [
    [[noise], /^protocol_violation: frame length: expected 4 to 92, found 4008636142$/],
    [[new Uint8Array(64)], /^protocol_violation: frame length: .*found 0$/],
    [[frame(77)], /^protocol_violation: frame type: expected 1 to 4, found 77$/],
    [[frame(1)], /^protocol_violation: payload of frame type 1: expected 48 bytes, found 0$/],
    [[LOGON, frame(3, new Uint8Array(1))], /expected 0 bytes, found 1$/],
    [[orderFrame({})], /^not_logged_on: /],
    [[LOGON, LOGON], /^bad_logon: logon: expected one, found a second$/],
    [[LOGON, LOGON.slice(0, 20), new Uint8Array(40)], /^bad_logon|^protocol_violation/],
  ];
  for (const [pieces, expected] of breaches) {
    using client = await RawTcp.connect(tcpPort!);
    for (const piece of pieces) await client.send(piece).catch(() => {}); // It may be closed.
    assertMatch(refusalsOf(await client.readAll()).at(-1)!, expected);
  }
  { // Half a frame, and gone.
    using client = await RawTcp.connect(tcpPort!);
    await client.send(LOGON);
    await client.send(orderFrame({}).subarray(0, 50));
  }
  assertEquals(exchange.orders.stats().nextSequence, 1, "half an order was published");
  await checkAlive(exchange, webSocketPort);
});
