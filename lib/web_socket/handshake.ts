/**
 * How a WebSocket begins: the request of HTTP that asks for it, and its answer (RFC 6455, 4).
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { WebSocketError } from "./frame.ts";

/** What ends the head of a request or an answer. */
export const HEAD_END = "\r\n\r\n";

/** Appended to a client's key by who has understood that it is a WebSocket: RFC 6455, 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const KEY_BYTES = 16;

/** Those bytes in Base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Names of this host, and addresses, that lead nowhere else. */
const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[?::1\]?)$/i;

/** Longest answer to a client's request. Arbitrary: real ones have some hundred bytes. */
const ANSWER_BYTES_MAX = 16 * 1024;

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  426: "Upgrade Required",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
};

/** Whom a server answers. */
export interface HostRule {
  /** Whether it may be reached by any name, from other hosts as well. */
  readonly allowRemote: boolean;
}

/** Why a request is refused. */
export interface HttpFault {
  /** Of the answer. */
  readonly status: number;
  /** ASCII. */
  readonly text: string;
}

/** The answer to a request, and why it is a refusal; undefined if the WebSocket begins. */
export interface UpgradeAnswer {
  readonly response: string;
  readonly fault: string | undefined;
}

/** Whether a name or an address is one of this host that no other host can reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/**
 * Tells whether a request names its server as one that it may be reached by. A page of the web can
 * have a name of its own that leads to this host (DNS rebinding): a browser then takes its requests
 * for such to its own site, and their `Origin` does not give them away. Their `Host` does.
 */
export function isHostAllowed({ host = "" }: IncomingHttpHeaders, rule: HostRule): boolean {
  return rule.allowRemote || isLoopback(host.replace(/:\d{1,5}$/, ""));
}

/**
 * Tells what is wrong with the headers of a request to begin a WebSocket; undefined if nothing is.
 * A page of another site is refused by its `Origin`, or by its `Host`: a browser would let it speak
 * to an address on the user's own machine.
 */
export function upgradeFault(headers: IncomingHttpHeaders, rule: HostRule): HttpFault | undefined {
  const { upgrade, connection, host, origin } = headers;
  const isUpgrade = /(^|,)\s*upgrade\s*(,|$)/i.test(connection ?? "");
  if (!isUpgrade || upgrade?.toLowerCase() !== "websocket") return fault(426, "a WebSocket");
  if (!isHostAllowed(headers, rule)) return fault(403, "a loopback name as Host");
  if (headers["sec-websocket-version"] !== "13") return fault(426, "WebSocket version 13");
  if (!KEY.test(headers["sec-websocket-key"] ?? "")) {
    return fault(400, `a Sec-WebSocket-Key of ${KEY_BYTES} bytes`);
  }
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return fault(403, "no page of another origin");
  }
  return undefined;
}

function fault(status: number, expected: string): HttpFault {
  return { status, text: `request: expected ${expected}` };
}

/**
 * Answers a request that nobody has parsed.
 *
 * @param request Everything up to the empty line, one character a byte.
 */
export function answerUpgrade(request: string, rule: HostRule): UpgradeAnswer {
  const [line = "", ...fields] = request.split("\r\n");
  const headers = parseHeaders(fields);
  const found = /^GET \/[^ ]* HTTP\/1\.1$/.test(line)
    ? upgradeFault(headers, rule)
    : fault(400, "a GET request of HTTP/1.1");
  return found === undefined
    ? { response: acceptResponse(headers["sec-websocket-key"]!), fault: undefined }
    : { response: errorResponse(found), fault: found.text };
}

/** What is there twice is joined, as HTTP says: two hosts, or two origins, are none then. */
function parseHeaders(fields: readonly string[]): IncomingHttpHeaders {
  const headers = new Map<string, string>();
  for (const field of fields) {
    const colon = field.indexOf(":");
    if (colon <= 0) continue;
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(headers);
}

/** The answer to a client's key, by which it knows that it was understood. */
export function acceptKey(key: string): string {
  return createHash("sha1").update(key + ACCEPT_SUFFIX).digest("base64");
}

/** The answer that begins a WebSocket. */
export function acceptResponse(key: string): string {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${acceptKey(key)}${HEAD_END}`;
}

/** The answer that ends a connection before it was a WebSocket. */
export function errorResponse({ status, text }: HttpFault): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_TEXTS[status] ?? ""}`,
    ...(status === 426 ? ["Upgrade: websocket", "Sec-WebSocket-Version: 13"] : []),
    ...["Connection: close", "Content-Type: text/plain", `Content-Length: ${text.length + 1}`],
  ];
  return `${lines.join("\r\n")}${HEAD_END}${text}\n`;
}

/**
 * Asks a server for a WebSocket.
 *
 * @param url `ws:` or `wss:`; the connection leads there.
 * @returns Bytes that have come behind the answer.
 * @throws {WebSocketError} If the server answers anything else.
 * @throws {Error} `Deno.errors.…` if the connection breaks.
 */
export async function requestUpgrade(connection: Deno.Conn, url: URL): Promise<Uint8Array> {
  const key = crypto.getRandomValues(new Uint8Array(KEY_BYTES)).toBase64();
  const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n` +
    `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: ${key}${HEAD_END}`;
  const asked = new TextEncoder().encode(request);
  for (let at = 0; at < asked.length;) at += await connection.write(asked.subarray(at));
  const bytes = new Uint8Array(ANSWER_BYTES_MAX);
  for (let length = 0; length < bytes.length;) {
    const count = await connection.read(bytes.subarray(length));
    if (count === null) throw new WebSocketError(`Cannot connect to "${url}": found it closed`);
    const end = endOfHead(bytes, length, length + count);
    length += count;
    if (end < 0) continue;
    checkAnswer(latin1(bytes.subarray(0, end)), key, url);
    return bytes.subarray(end + HEAD_END.length, length);
  }
  throw new WebSocketError(`Cannot connect to "${url}": found no end of its answer`);
}

function checkAnswer(head: string, key: string, url: URL): void {
  const [status, ...fields] = head.split("\r\n");
  const accepted = fields.map((field) => /^sec-websocket-accept:\s*(\S+)\s*$/i.exec(field)?.[1]);
  if (/^HTTP\/1\.1 101(?: |$)/.test(status!) && accepted.includes(acceptKey(key))) return;
  throw new WebSocketError(`Cannot connect to "${url}": expected a WebSocket, found ${status}`);
}

/**
 * Index of the empty line that ends a head; -1 if it is not there yet.
 *
 * @param from Bytes before it were searched before; those at 0 and behind are the head's.
 */
export function endOfHead(bytes: Uint8Array, from: number, end: number): number {
  for (let at = Math.max(0, from - HEAD_END.length + 1); at + HEAD_END.length <= end; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) {
      return at;
    }
  }
  return -1;
}

/** One character a byte, so that places in the text are places in the bytes. */
export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
