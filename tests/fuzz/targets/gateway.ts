/**
 * What clients send to a gateway: JSON over a WebSocket, and binary frames.
 *
 * The first byte says how the rest is taken: as bytes of a connection in either protocol, or as the
 * content of one message in it. The second says how long the pieces are in which they come.
 *
 * @module
 */

import { BinaryCodec } from "../../../lib/exchange/gateway/binary_codec.ts";
import type { GatewayCodec } from "../../../lib/exchange/gateway/gateway_codec.ts";
import { JsonCodec } from "../../../lib/exchange/gateway/json_codec.ts";
import * as exchange from "../../../lib/exchange/mod.ts";
import { encode } from "../../_support.ts";
import { clientFrame, HANDSHAKE } from "../../_web_socket.ts";
import { join } from "../../_bytes.ts";
import { must, type Target } from "../_target.ts";

const INSTRUMENT = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 };
const INSTRUMENTS = {
  find: (symbol: string) => symbol === INSTRUMENT.symbol ? INSTRUMENT : undefined,
  at: (id: number) => id === INSTRUMENT.id ? INSTRUMENT : undefined,
};
const ENTRY = new exchange.OrderEntry(INSTRUMENTS);
const LIMITS = { messageBytesMax: 1024, allowRemote: false };
const HEAD = encode(HANDSHAKE);

const JSON_BYTES = 0;
const BINARY_BYTES = 1;
const JSON_TEXT = 2;
const ORDER_FRAME = 3;
const LOGON_FRAME = 4;

const NEW_ORDER = {
  ...{ type: "new", clientSequence: 1, clientOrderId: 1, symbol: "BTC-USD", side: "buy" },
  ...{ orderType: "limit", timeInForce: "gtc", price: "1.00", quantity: "0.5" },
};
const REQUESTS = [
  NEW_ORDER,
  { ...NEW_ORDER, orderType: "market", timeInForce: "ioc", price: undefined },
  { ...NEW_ORDER, timeInForce: "fok", side: "sell" },
  { type: "cancel", clientSequence: 2, clientOrderId: 2, symbol: "BTC-USD", orderId: 1 },
  { type: "replace", clientSequence: 3, clientOrderId: 3, symbol: "BTC-USD", orderId: 1 },
  { type: "logon", token: "A".repeat(43), lastReceived: 3 },
  { type: "heartbeat" },
  { type: "logout" },
];

function frame(type: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(exchange.FRAME_HEADER_BYTES);
  exchange.writeFrameHeader(new DataView(header.buffer), 0, type, payload.length);
  return join(header, payload);
}

function orderBytes(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(exchange.OrderRequest.sizeBytes);
  ENTRY.readJson(NEW_ORDER, new DataView(bytes.buffer), 0);
  return bytes;
}

/** Feeds bytes in pieces as a connection does; what was found in them. */
function feed(codec: GatewayCodec, bytes: Uint8Array, step: number): string {
  const buffer = new Uint8Array(Math.max(codec.receiveBytesMax, 16_384));
  const found = new Set<string>();
  let [end, isOver] = [0, false];
  for (let at = 0; at < bytes.length && !isOver; at += step) {
    const piece = bytes.subarray(at, at + step);
    if (end + piece.length > buffer.length) break;
    buffer.set(piece, end);
    end += piece.length;
    let start = 0;
    while (start < end && !isOver) {
      const taken = codec.decode(buffer, start, end);
      must(taken >= 0 && taken <= end - start, `${taken} of ${end - start} bytes taken`);
      if (taken === 0) break;
      start += taken;
      const { type, clientSequence, refusal } = codec.message;
      must(Number.isSafeInteger(clientSequence), `client sequence ${clientSequence}`);
      const isRefused = type === "refused" || type === "violation";
      if (isRefused) must(refusal !== undefined, "refused without a reason");
      found.add(isRefused ? `${type} ${refusal!.reason}` : type);
      isOver = type === "violation" || type === "closed";
    }
    buffer.copyWithin(0, start, end);
    end -= start;
  }
  return [...found].join();
}

function run(input: Uint8Array<ArrayBuffer>): string {
  const [kind = 0, length = 0] = input;
  const rest = input.subarray(2);
  const step = 1 + length;
  switch (kind % 5) {
    case JSON_BYTES:
      return feed(new JsonCodec(ENTRY, INSTRUMENTS, LIMITS), rest, step);
    case BINARY_BYTES:
      return feed(new BinaryCodec(ENTRY), rest, step);
    case JSON_TEXT: {
      const bytes = join(HEAD, clientFrame(1, rest));
      return feed(new JsonCodec(ENTRY, INSTRUMENTS, LIMITS), bytes, step);
    }
    case ORDER_FRAME:
      return feed(new BinaryCodec(ENTRY), frame(exchange.FRAME_ORDER, rest), step);
    default:
      return feed(new BinaryCodec(ENTRY), frame(exchange.FRAME_LOGON, rest), step);
  }
}

/** Opens it. */
export function open(): Target {
  const texts = REQUESTS.map((request) => encode(JSON.stringify(request)));
  const binary = join(
    frame(exchange.FRAME_LOGON, new Uint8Array(exchange.WireLogon.sizeBytes)),
    frame(exchange.FRAME_ORDER, orderBytes()),
    frame(exchange.FRAME_HEARTBEAT, new Uint8Array()),
    frame(exchange.FRAME_LOGOUT, new Uint8Array()),
  );
  return {
    seeds: [
      ...texts.map((text) => join([JSON_TEXT, 255], text)),
      join([JSON_BYTES, 99], HEAD, ...texts.slice(0, 3).map((text) => clientFrame(1, text))),
      join([JSON_BYTES, 6], HEAD, clientFrame(1, texts[0]!, false), clientFrame(0, "}")),
      join([BINARY_BYTES, 255], binary),
      join([BINARY_BYTES, 0], binary),
      join([ORDER_FRAME, 255], orderBytes()),
      join([LOGON_FRAME, 255], new Uint8Array(exchange.WireLogon.sizeBytes)),
    ],
    run,
  };
}
