/**
 * A server for who watches over a pipeline: `/metrics` for Prometheus, and `/livez`, `/readyz` and
 * `/healthz`. What each answers is in docs/metrics.md.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  assess,
  type Health,
  type HealthLimits,
  type OwnState,
} from "../../lib/observability/mod.ts";
import { createRegistry } from "../../lib/observability/prometheus.ts";
import { type HostRule, isHostAllowed, isLoopback } from "../../lib/web_socket/handshake.ts";
import { ScriptError, UsageError } from "../_command.ts";
import { Sight } from "./_sight.ts";

/** Where a {@linkcode MetricsServer} listens, and what it looks at. */
export interface MetricsOptions {
  host: string;
  port: number;
  /** Whether `host` may be reached from other hosts, under whatever name. */
  allowRemote: boolean;
  /** Of the ring files. Default: that of all channels. */
  directory?: string;
  limits?: HealthLimits;
  /** Returns how this process stands. */
  own: () => OwnState;
}

/** Milliseconds for the head of a request, and for taking the answer. */
const HEAD_MS = 5_000;
const ANSWER_MS = 10_000;
const HEAD_BYTES_MAX = 16 * 1024;

/** A Prometheus or two, and whoever looks for the health. */
const CONNECTIONS_MAX = 64;

const HEADERS = {
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "connection": "close", // Nobody comes again within seconds.
};

const JSON_TYPE = "application/json; charset=utf-8";

interface Answer {
  status: number;
  type: string;
  body: string;
}

/** Answers as long as the process turns. Made by {@linkcode serveMetrics}. */
export class MetricsServer {
  /** Where it is to be found. */
  readonly url: string;
  readonly #server: Server;
  readonly #sight: Sight;
  readonly #hostRule: HostRule;
  readonly #routes: ReadonlyMap<string, () => Answer | Promise<Answer>>;

  constructor(server: Server, options: MetricsOptions) {
    const { address, port, family } = server.address() as AddressInfo;
    this.url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}/`;
    this.#server = server;
    this.#sight = new Sight(options);
    this.#hostRule = options;
    const { own, limits } = options;
    const health = () => this.#sight.assess(own(), limits);
    const registry = createRegistry(() => this.#sight.look());
    this.#routes = new Map<string, () => Answer | Promise<Answer>>([
      ["/metrics", async () => {
        return { status: 200, type: registry.contentType, body: await registry.metrics() };
      }],
      ["/livez", () => liveness(own())],
      ["/readyz", () => answerOf(health(), ({ isReady }) => isReady)],
      ["/healthz", () => answerOf(health(), ({ status }) => status !== "failing")],
    ]);
    server.on("request", (request, response) => this.#answer(request, response));
    server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Ends. What is being answered has some seconds to be taken. */
  async stop(): Promise<void> {
    this.#sight.stop();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeIdleConnections();
    const cut = setTimeout(() => this.#server.closeAllConnections(), HEAD_MS);
    await promise;
    clearTimeout(cut);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.socket.setTimeout(ANSWER_MS, () => request.socket.destroy());
    const { status, type, body } = await this.#answerTo(request, response);
    response.writeHead(status, { ...HEADERS, "content-type": type });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  async #answerTo(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { method = "", url = "", headers } = request;
    if (!isHostAllowed(headers, this.#hostRule)) {
      return refusal(403, "expected a loopback name as Host");
    }
    const route = this.#routes.get(URL.parse(url, "http://localhost")?.pathname ?? "");
    if (route === undefined) {
      return refusal(404, `expected one of ${[...this.#routes.keys()].join(", ")}`);
    }
    if (method !== "GET" && method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return refusal(405, "expected GET or HEAD");
    }
    try {
      return await route();
    } catch (error) {
      // Such as a directory that became another user's. What it is has to be seen, not the end.
      if (!(error instanceof Error)) throw error;
      return refusal(500, error.message);
    }
  }
}

function refusal(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

/** Says nothing of others: no restart of this process would mend them. */
function liveness(own: OwnState): Answer {
  const { isLive, reasons } = assess({
    look: { timeMs: 0, elapsedMs: 0, channels: [], services: [] },
    own,
  });
  return {
    status: isLive ? 200 : 503,
    type: JSON_TYPE,
    body: `${JSON.stringify({ isLive, state: own.state, reasons: isLive ? [] : reasons })}\n`,
  };
}

function answerOf(health: Health, isWell: (health: Health) => boolean): Answer {
  return {
    status: isWell(health) ? 200 : 503,
    type: JSON_TYPE,
    body: `${JSON.stringify(health)}\n`,
  };
}

/**
 * Begins to serve.
 *
 * @throws {UsageError} If `host` is none of loopback's and `allowRemote` was not given.
 * @throws {ScriptError} If it cannot listen there.
 */
export async function serveMetrics(options: MetricsOptions): Promise<MetricsServer> {
  const { host, port, allowRemote } = options;
  if (!isLoopback(host) && !allowRemote) {
    throw new UsageError(
      `Cannot listen at "${host}": expected a loopback address, or allow_remote = true`,
    );
  }
  const server = createServer({
    ...{ headersTimeout: HEAD_MS, requestTimeout: ANSWER_MS, keepAliveTimeout: HEAD_MS },
    ...{ connectionsCheckingInterval: 1000, maxHeaderSize: HEAD_BYTES_MAX },
  });
  server.maxConnections = CONNECTIONS_MAX;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", ({ message }) => {
    reject(new ScriptError(`Cannot listen at "${host}:${port}": found ${message}`));
  });
  server.listen(port, host.replace(/^\[|\]$/g, ""), () => resolve());
  await promise;
  return new MetricsServer(server, options);
}
