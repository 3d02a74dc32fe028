/**
 * The server of the inspector page: loopback only, and it changes nothing.
 *
 * @module
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { defaultDirectory } from "../../lib/native/path.ts";
import { Inspector } from "../../lib/observability/mod.ts";
import {
  closeHttp,
  listenHttp,
  REQUEST_MS,
  requestFault,
  sendAsset,
} from "../../lib/web_socket/http.ts";
import { type LogVerification, verifyLog } from "../../mod.ts";
import { CheckpointRows } from "./_checkpoints.ts";
import { INSPECTOR_PAGE } from "./_page.ts";
import { newestRecords } from "./_records.ts";

/** What is looked at, and where it is shown. */
export interface InspectorOptions {
  directory?: string | undefined;
  walDir?: string | undefined;
  stateDir?: string | undefined;
  port: number;
  /** Milliseconds between two looks. */
  intervalMs: number;
}

/** Pages that are open at once, more or less. */
const CONNECTIONS_MAX = 64;

/** Findings of a log that are shown. */
const FINDINGS_MAX = 20;

interface Answer {
  status: number;
  value: unknown;
}

/** What verifying a log has found. */
type Verified =
  | { state: "running" }
  | { state: "failed"; error: string }
  | { state: "done"; timeMs: number; result: Partial<LogVerification> };

/** Shows what there is. Made by {@linkcode serveInspector}. */
export class InspectorServer {
  /** Where the page is. */
  readonly url: string;
  readonly #server: Server;
  readonly #options: InspectorOptions;
  readonly #inspector: Inspector;
  readonly #checkpoints: CheckpointRows;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Logs that were verified, by their channels' names. One is at a time. */
  readonly #verified = new Map<string, Verified>();
  #error: string | null = null;

  constructor(server: Server, options: InspectorOptions) {
    const { address, port } = server.address() as AddressInfo;
    this.url = `http://${address}:${port}/`;
    this.#server = server;
    this.#options = options;
    this.#inspector = new Inspector(options);
    this.#checkpoints = new CheckpointRows(options.stateDir);
    this.#look();
    this.#timer = setInterval(() => this.#look(), options.intervalMs);
    server.on("request", (request, response) => this.#answer(request, response));
  }

  /** Ends it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await closeHttp(this.#server);
  }

  /** What cannot be looked at is shown, and may be mended. */
  #look(): void {
    this.#checkpoints.read();
    try {
      this.#inspector.look();
      this.#error = null;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#error = error.message;
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { socket, url = "" } = request;
    socket.setTimeout(REQUEST_MS, () => socket.destroy());
    const target = URL.parse(url, "http://localhost");
    const refused = refusalOf(request, response);
    const asset = target === null ? undefined : INSPECTOR_PAGE.get(target.pathname);
    if (refused === undefined && asset !== undefined) return sendAsset(response, 200, asset);
    const { status, value } = refused ?? this.#api(target);
    const bytes = JSON.stringify(value);
    sendAsset(response, status, { type: "application/json; charset=utf-8", bytes });
  }

  #api(target: URL | null): Answer {
    const query = target?.searchParams ?? new URLSearchParams();
    const channel = query.get("channel") ?? "";
    switch (target?.pathname) {
      case "/api/look":
        return { status: 200, value: this.#everything(channel, Number(query.get("since")) || 0) };
      case "/api/verify":
        return this.#verify(channel);
      default:
        return refusal(404, "expected /, /api/look or /api/verify");
    }
  }

  /** All that the page asks for, once a second. */
  #everything(name: string, sinceMs: number): unknown {
    const { directory, walDir, stateDir, intervalMs } = this.#options;
    const view = name === "" ? undefined : this.#inspector.channel(name, sinceMs);
    const place = directory === undefined ? {} : { directory };
    return {
      ...this.#inspector.overview(),
      error: this.#error,
      place: {
        directory: directory ?? defaultDirectory(),
        ...{ walDir: walDir ?? null, stateDir: stateDir ?? null },
      },
      intervalMs,
      checkpoints: this.#checkpoints.found,
      chosen: view === undefined ? null : {
        name,
        ...view,
        newest: view.channel === null ? null : newestRecords(name, place),
        verified: this.#verified.get(name) ?? null,
      },
    };
  }

  /** Begins to verify a channel's log: every byte of it, on another thread. */
  #verify(name: string): Answer {
    const directory = this.#inspector.channel(name)?.log?.directory;
    if (directory === undefined) return refusal(404, "expected a channel with a log to be read");
    if ([...this.#verified.values()].some(({ state }) => state === "running")) {
      return refusal(409, "expected that no other log is being verified");
    }
    this.#verified.set(name, { state: "running" });
    verifyLog(directory).then(
      ({ findings, ...result }) => {
        const few = findings.slice(0, FINDINGS_MAX);
        this.#verified.set(name, {
          ...{ state: "done", timeMs: Date.now(), result: { ...result, findings: few } },
        });
      },
      (error: Error) => void this.#verified.set(name, { state: "failed", error: error.message }),
    );
    return { status: 202, value: { state: "running" } };
  }
}

function refusal(status: number, text: string): Answer {
  return { status, value: { error: text } };
}

/** Why a request is not answered. */
function refusalOf(request: IncomingMessage, response: ServerResponse): Answer | undefined {
  const fault = requestFault(request, response, { allowRemote: false });
  if (fault !== undefined) return refusal(fault.status, fault.text);
  const { headers, url = "" } = request;
  // Other pages of this user may not even make it work, though they could not read what it says.
  const site = headers["sec-fetch-site"] ?? "none";
  if (url.startsWith("/api/") && site !== "same-origin" && site !== "none") {
    return refusal(403, "expected no request of another site");
  }
  return undefined;
}

/**
 * Begins to serve the page.
 *
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 */
export async function serveInspector(options: InspectorOptions): Promise<InspectorServer> {
  const { port } = options;
  const server = await listenHttp({ host: "127.0.0.1", port, connectionsMax: CONNECTIONS_MAX });
  return new InspectorServer(server, options);
}
