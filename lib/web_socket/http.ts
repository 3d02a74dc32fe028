/**
 * What servers of HTTP have in common: how they listen, whom they refuse, and what is said with
 * every answer.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type HostRule, type HttpFault, isHostAllowed } from "./handshake.ts";

/** A file that is served as it is. */
export interface Asset {
  /** Its media type. */
  type: string;
  bytes: Uint8Array;
}

/** Milliseconds in which a client may take nothing of its answer. */
export const REQUEST_MS = 10_000;
/** Looks at a connection, one a second, by which its request must have come. */
const HEAD_LOOKS = 5;
const LOOK_MS = 1_000;
const HEAD_BYTES_MAX = 16 * 1024;
/** Milliseconds in which requests that are under way may end. */
const CLOSE_MS = 5_000;

/** Of every answer: a page of ours loads from here alone, and nobody else's may use us. */
const HEADERS: Record<string, string> = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "connection": "close",
};

/** How an HTTP server listens. */
export interface ListenOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  connectionsMax: number;
  /** Whether a connection may become something else: "upgrade" is listened to. Default: false. */
  takesUpgrades?: boolean;
}

/**
 * Begins to listen, for requests whose heads are small and come soon, one on each connection.
 *
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 */
export async function listenHttp(
  { host, port, connectionsMax, takesUpgrades = false }: ListenOptions,
): Promise<Server> {
  const limits = { maxHeaderSize: HEAD_BYTES_MAX, headersTimeout: 0, requestTimeout: 0 };
  const server = createServer({ ...limits, noDelay: true });
  server.maxConnections = connectionsMax;
  // Others that come with it would all be worked on, and their answers wait here.
  server.maxRequestsPerSocket = 1;
  server.on("clientError", (_error, socket) => socket.destroy());
  await listen(server, { host, port });
  endSilent(server, takesUpgrades ? ["request", "upgrade"] : ["request"]);
  return server;
}

/**
 * Lets a server listen.
 *
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 */
export async function listen(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause) => reject(listenFailure(cause, host, port)));
  server.listen(port, host.replace(/^\[|\]$/g, ""), () => resolve());
  await promise;
}

/**
 * Ends connections whose request does not come soon. Counted, not timed: whoever has stood still
 * must first read what has come meanwhile.
 */
function endSilent(server: Server, beginnings: readonly string[]): void {
  const looks = new Map<Socket, number>();
  server.on("connection", (socket: Socket) => {
    looks.set(socket, 0);
    socket.once("close", () => looks.delete(socket));
  });
  for (const beginning of beginnings) {
    server.on(beginning, ({ socket }: IncomingMessage) => looks.delete(socket));
  }
  const timer = setInterval(() => {
    for (const [socket, count] of looks) {
      if (count === HEAD_LOOKS) socket.destroy();
      else looks.set(socket, count + 1);
    }
  }, LOOK_MS);
  server.once("close", () => clearInterval(timer));
}

function listenFailure(cause: Error, host: string, port: number): Error {
  if (!("code" in cause) || cause.code !== "EADDRINUSE") return cause;
  return new Deno.errors.AddrInUse(`Cannot listen at "${host}:${port}": found it taken`, { cause });
}

/** Lets requests that are under way end, and ends. */
export async function closeHttp(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await promise;
  clearTimeout(cut);
}

/**
 * Tells why a request is refused, whatever it asks for; undefined if it is not: it has to name a
 * host that the rule allows (403), and to be GET or HEAD (405). Where it is the method, `Allow` is
 * set in the response.
 */
export function requestFault(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  rule: HostRule,
): HttpFault | undefined {
  if (!isHostAllowed(headers, rule)) {
    return { status: 403, text: "expected a loopback name as Host" };
  }
  if (method === "GET" || method === "HEAD") return undefined;
  response.setHeader("allow", "GET, HEAD");
  return { status: 405, text: "expected GET or HEAD" };
}

/** Answers a request; to HEAD without the bytes. */
export function sendAsset(
  response: ServerResponse,
  status: number,
  { type, bytes }: { type: string; bytes: string | Uint8Array },
): void {
  response.writeHead(status, { ...HEADERS, "content-type": type });
  response.end(bytes);
}
