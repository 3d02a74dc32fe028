/**
 * WebSocket frames and messages of either side, in any pieces; requests to begin one.
 *
 * @module
 */

import { OPCODE_CLOSE, OPCODE_TEXT, WebSocketError } from "../../../lib/web_socket/frame.ts";
import { answerUpgrade, endOfHead, latin1 } from "../../../lib/web_socket/handshake.ts";
import { MessageStream } from "../../../lib/web_socket/message_stream.ts";
import { encode } from "../../_support.ts";
import { HANDSHAKE, peerFrame } from "../../_web_socket.ts";
import { join } from "../../_bytes.ts";
import { must, type Target } from "../_target.ts";

const MESSAGE_BYTES_MAX = 300;
const FRAMES = [
  peerFrame(1, "text"),
  peerFrame(2, Uint8Array.of(1, 2, 3)),
  join(peerFrame(1, "a€", { isFinal: false }), peerFrame(9, "ping"), peerFrame(0, "end")),
  join(peerFrame(2, new Uint8Array(126)), peerFrame(10, "pong")),
  peerFrame(1, "x".repeat(300)),
  peerFrame(8, Uint8Array.of(3, 232, 98, 121, 101)),
];

/** The first byte says who the peer is, the second how long the pieces are. */
function runFrames(input: Uint8Array): string {
  const [side = 0, length = 0] = input;
  const isMasked = side % 2 === 0;
  const step = 1 + length;
  const told: string[] = [];
  const whole = readAll(input.subarray(2), input.length, isMasked, []);
  const pieces = readAll(input.subarray(2), step, isMasked, told);
  must(whole === pieces, `"${whole}" at once and "${pieces}" in pieces of ${step}`);
  return told.join(" ");
}

function readAll(bytes: Uint8Array, step: number, isMasked: boolean, kinds: string[]): string {
  const stream = new MessageStream({ messageBytesMax: MESSAGE_BYTES_MAX, isMasked });
  let all = "";
  try {
    for (let at = 0; at < bytes.length; at += step) {
      stream.append(bytes.slice(at, at + step));
      for (let next = stream.next(); next !== undefined; next = stream.next()) {
        const { opcode, payload } = next;
        must(payload.length <= (opcode >= OPCODE_CLOSE ? 125 : MESSAGE_BYTES_MAX), "too long");
        const content = opcode === OPCODE_TEXT ? next.text : `${payload}`;
        all += `${opcode} ${opcode === OPCODE_CLOSE ? next.closeCode : ""} ${content};`;
        if (kinds.length < 4) kinds.push(`${opcode}`);
      }
    }
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    kinds.push(error.message.replace(/\d+/g, "0"));
    return `${all}${error.code}`;
  }
  return all;
}

function runHandshake(input: Uint8Array): string {
  const end = endOfHead(input, 0, input.length);
  const head = latin1(input.subarray(0, end < 0 ? input.length : end));
  const { response, fault } = answerUpgrade(head, { allowRemote: input.length % 2 === 0 });
  must(/^HTTP\/1\.1 \d{3} /.test(response) && response.includes("\r\n\r\n"), "no answer");
  must(!/[^\x20-\x7e\r\n]/.test(response), "an answer of other characters than ASCII");
  return fault ?? "begun";
}

/** Opens it. */
export function open(): Target {
  return {
    seeds: [
      ...FRAMES.flatMap((frame) => [join([0, 255], frame), join([0, 0], frame)]),
      join([1, 3], ...["to", "a client"].map((text) => peerFrame(1, text, { isMasked: false }))),
      encode(HANDSHAKE),
      encode(HANDSHAKE.replace("Host: 127.0.0.1", "Host: [::1]:80\r\nOrigin: http://[::1]:80")),
    ],
    run: (input) => input[0] === 71 ? runHandshake(input) : runFrames(input),
  };
}
