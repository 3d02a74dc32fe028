/**
 * What a gateway sends to its clients: this one is hostile. Where the first byte is even, the rest
 * are bytes of the binary protocol; else texts of JSON, a line each, in frames of a WebSocket.
 *
 * @module
 */

import { GatewayClient } from "../../../lib/exchange/mod.ts";
import * as wire from "../../../lib/exchange/gateway/wire.ts";
import { acceptResponse } from "../../../lib/web_socket/handshake.ts";
import { encodeText } from "../../../lib/web_socket/frame.ts";
import { encode } from "../../_support.ts";
import { join } from "../../_bytes.ts";
import type { Target } from "../_target.ts";

const decoder = new TextDecoder();

const SESSION = {
  ...{ type: "session", sessionId: 1, token: "A".repeat(43), isResumed: false, heartbeatMs: 1000 },
  ...{ lastClientSequence: 0, lastNumber: 0, ordersPerSecond: 100 },
  instruments: [{ symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 }],
};
const TOLD = [
  SESSION,
  { type: "ack", clientSequence: 1, sequence: 1, level: "disk" },
  { type: "reject", clientSequence: 1, reason: "rate_limited", text: "no", retryAfterMs: 5 },
  { type: "accepted", number: 1, clientSequence: 1, clientOrderId: 1, symbol: "BTC-USD" },
  { type: "gap", from: 1, to: 2 },
  { type: "heartbeat", number: 2 },
  { type: "error", reason: "displaced", text: "gone" },
];

function frame(type: number, payload: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(wire.FRAME_HEADER_BYTES);
  wire.writeFrameHeader(new DataView(header.buffer), 0, type, payload.length);
  return join(header, payload);
}

/** Frames of a sound gateway: a session with one instrument, an event, and the rest. */
function binarySeed(): Uint8Array<ArrayBuffer> {
  const session = new Uint8Array(wire.WireSession.sizeBytes);
  const fields = { sessionId: 1, heartbeatMs: 1000, instruments: 1 };
  Object.assign(wire.WireSession.accessor().wrap(new DataView(session.buffer), 0), fields);
  return join(
    frame(wire.FRAME_SESSION, session),
    frame(wire.FRAME_INSTRUMENT, join([1, 0, 0, 0, 2, 8, 0, 0], encode("BTC-USD"))),
    frame(wire.FRAME_ACK, new Uint8Array(wire.WireAck.sizeBytes)),
    frame(wire.FRAME_EVENT, new Uint8Array(wire.EVENT_PAYLOAD_BYTES)),
    frame(wire.FRAME_REJECT, new Uint8Array(wire.WireReject.sizeBytes)),
    frame(wire.FRAME_GAP, new Uint8Array(wire.WireGap.sizeBytes)),
    frame(wire.FRAME_ALIVE, new Uint8Array(8)),
    frame(wire.FRAME_ERROR, join(new Uint8Array(wire.WireReject.sizeBytes), encode("text"))),
  );
}

/** Says its bytes to who connects, and that these were all. Resolves when the client has gone. */
async function serveOnce(listener: Deno.TcpListener, input: Uint8Array, isJson: boolean) {
  using socket = await listener.accept();
  const buffer = new Uint8Array(4096);
  try {
    if (isJson) {
      const count = await socket.read(buffer);
      const asked = decoder.decode(buffer.subarray(0, count ?? 0));
      const key = /sec-websocket-key: *(\S+)/i.exec(asked)?.[1] ?? "";
      const texts = decoder.decode(input).split("\n").map(encodeText);
      input = join(encode(acceptResponse(key)), ...texts);
    }
    for (let at = 0; at < input.length;) at += await socket.write(input.subarray(at));
    await socket.closeWrite();
    while (await socket.read(buffer) !== null);
  } catch (error) {
    const isGone = error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.NotConnected;
    if (!isGone) throw error;
  }
}

/** Opens it: begins to listen. */
export function open(): Target {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const place = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  const all = TOLD.map((message) => JSON.stringify(message));
  return {
    seeds: [
      join([0], binarySeed()),
      ...all.slice(1).map((text) => join([1], encode(`${all[0]}\n${text}`))),
      join([1], encode(all.join("\n"))),
    ],
    async run(input) {
      const isJson = (input[0] ?? 0) % 2 === 1;
      const told = new Set<string>();
      const client = new GatewayClient({
        url: isJson ? `ws://${place}/` : `tcp://${place}`,
        onEvent: () => void told.add("event"),
        onAck: () => void told.add("ack"),
        onReject: () => void told.add("reject"),
        onGap: () => void told.add("gap"),
        onState: (state, reason) => void told.add(`${state} ${reason}`.slice(0, 30)),
      });
      await serveOnce(listener, input.subarray(1), isJson);
      client.close();
      return [...told].slice(0, 4).join();
    },
    close() {
      listener.close();
    },
  };
}
