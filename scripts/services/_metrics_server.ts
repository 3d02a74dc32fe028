/**
 * A server for who watches over a pipeline: `/metrics` for Prometheus, and `/livez`, `/readyz` and
 * `/healthz`. What each answers is in docs/metrics.md.
 *
 * @module
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  assess,
  type Health,
  type HealthLimits,
  type OwnState,
} from "../../lib/observability/mod.ts";
import { createRegistry } from "../../lib/observability/prometheus.ts";
import type { HostRule } from "../../lib/web_socket/handshake.ts";
import {
  closeHttp,
  listenHttp,
  REQUEST_MS,
  requestFault,
  sendAsset,
} from "../../lib/web_socket/http.ts";
import { ScriptError } from "../_command.ts";
import { checkHost } from "./_channels.ts";
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

/** A Prometheus or two, and whoever looks for the health. */
const CONNECTIONS_MAX = 64;

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
  }

  /** Ends. What is being answered has some seconds to be taken. */
  async stop(): Promise<void> {
    this.#sight.stop();
    await closeHttp(this.#server);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.socket.setTimeout(REQUEST_MS, () => request.socket.destroy());
    const { status, type, body } = await this.#answerTo(request, response);
    sendAsset(response, status, { type, bytes: body });
  }

  async #answerTo(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const fault = requestFault(request, response, this.#hostRule);
    if (fault !== undefined) return refusal(fault.status, fault.text);
    const { url = "" } = request;
    const route = this.#routes.get(URL.parse(url, "http://localhost")?.pathname ?? "");
    if (route === undefined) {
      return refusal(404, `expected one of ${[...this.#routes.keys()].join(", ")}`);
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
  checkHost(options);
  const { host, port } = options;
  const listening = listenHttp({ host, port, connectionsMax: CONNECTIONS_MAX });
  const server = await listening.catch(({ message }: Error) => {
    throw new ScriptError(message);
  });
  return new MetricsServer(server, options);
}
