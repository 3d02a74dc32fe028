// The server of metrics and health: what it answers, and whom.

import "../testing/load_library.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "node:net";
import { createChannel, openProducer } from "../mod.ts";
import type { OwnState } from "../lib/observability/mod.ts";
import { ScriptError, UsageError } from "../scripts/_command.ts";
import { type MetricsServer, serveMetrics } from "../scripts/services/_metrics_server.ts";

/** A server over a directory of its own. */
class Site implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly own: OwnState = { state: "running" };
  #server: MetricsServer | undefined;

  async open(): Promise<this> {
    const { directory } = this;
    this.#server = await serveMetrics({
      ...{ host: "127.0.0.1", port: 0, allowRemote: false, directory },
      own: () => this.own,
    });
    return this;
  }

  get url(): string {
    return this.#server!.url;
  }

  async get(path: string, init: RequestInit = {}): Promise<{ status: number; body: string }> {
    const response = await fetch(`${this.url}${path}`, init);
    return { status: response.status, body: await response.text() };
  }

  async json(path: string): Promise<{ status: number; [key: string]: unknown }> {
    const { status, body } = await this.get(path);
    return { ...JSON.parse(body), status };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Sends a request as it is; all that is answered. */
async function send(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(request);
  const chunks: string[] = [];
  for await (const chunk of socket.setEncoding("latin1")) chunks.push(chunk);
  return chunks.join("");
}

Deno.test("serveMetrics() answers with metrics, also beside files that are damaged", async () => {
  await using site = await new Site().open();
  const { directory } = site;
  Deno.writeTextFileSync(`${directory}/spoilt.ring`, "nothing");
  Deno.writeFileSync(`${directory}/zeros.ring`, new Uint8Array(100_000), { mode: 0o600 });
  using channel = createChannel("orders", { directory, sizeBytes: "64KB" });
  openProducer(channel, { name: "feed" }).write(new Uint8Array(10));
  const response = await fetch(`${site.url}metrics`);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  assertStringIncludes(text, 'mt_channel_messages_total{channel="orders"} 1\n');
  for (const name of ["spoilt", "zeros"]) {
    assertStringIncludes(text, `mt_channel_up{channel="${name}"} 0\n`);
  }
  const head = await fetch(`${site.url}metrics`, { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
});

Deno.test("serveMetrics() tells whether the process lives, is ready, and all is well", async () => {
  await using site = await new Site().open();
  const codes = async () => [
    (await site.get("livez")).status,
    (await site.get("readyz")).status,
    (await site.get("healthz")).status,
  ];
  assertEquals(await codes(), [200, 200, 200]);
  assertEquals(await site.json("livez"), {
    ...{ status: 200, isLive: true, state: "running", reasons: [] },
  });
  site.own.state = "starting";
  assertEquals(await codes(), [200, 503, 503]);
  const { isReady, reasons } = await site.json("readyz");
  assertEquals(isReady, false);
  assertEquals((reasons as { code: string }[]).map(({ code }) => code), ["process_starting"]);
  site.own.state = "failed";
  assertEquals(await codes(), [503, 503, 503]);
});

Deno.test("serveMetrics() refuses what is no GET, no path of it, or no request to it", async () => {
  await using site = await new Site().open();
  assertEquals((await site.get("")).status, 404);
  assertEquals((await site.get("metrics/../other")).status, 404);
  const post = await fetch(`${site.url}metrics`, { method: "POST", body: "x" });
  assertEquals([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  await post.body?.cancel();
  const rebound = "GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\nConnection: close\r\n\r\n";
  assertStringIncludes(await send(site.url, rebound), "HTTP/1.1 403 ");
  const nameless = "GET /metrics HTTP/1.0\r\n\r\n";
  assertStringIncludes(await send(site.url, nameless), " 403 ");
  await send(site.url, "\0\r\n\r\n");
  assertEquals((await site.get("livez")).status, 200, "it goes on");
});

Deno.test("serveMetrics() listens at loopback only, unless told otherwise", async () => {
  await using site = await new Site().open();
  const port = Number(new URL(site.url).port);
  const own = () => site.own;
  const listen = (host: string, port: number) => async () => {
    await serveMetrics({ host, port, allowRemote: false, own });
  };
  await assertRejects(listen("0.0.0.0", 0), UsageError, "expected a loopback address");
  await assertRejects(listen("127.0.0.1", port), ScriptError, `127.0.0.1:${port}`);
});
