/**
 * Debian's `promtool` and `prometheus`, for tests: what the one says, and what the other has
 * scraped.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { isThere, killChild } from "./_support.ts";

const PROMETHEUS = "/usr/bin/prometheus";
const PROMTOOL = "/usr/bin/promtool";

/** Why there is none, for the name of a test; empty if there is. */
export const obstacle: string = [PROMETHEUS, PROMTOOL].every(isThere) ? "" : ` (no ${PROMETHEUS})`;

/** Runs `promtool`; what it said, and its exit status. */
export async function promtool(
  args: string[],
  input = "",
): Promise<{ code: number; output: string }> {
  const child = new Deno.Command(PROMTOOL, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(input)).then(() => writer.close());
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), written.catch(() => {})]);
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** A series that a query has found. */
export interface Found {
  metric: Record<string, string>;
  value: number;
}

/** A Prometheus that scrapes one target. It ends with its scope. */
export class Prometheus implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  /** Where it listens, of its own choice: a port that a test had chosen could be taken by then. */
  #address: string | undefined;
  #errors = "";
  readonly #reading: Promise<void>;

  /**
   * @param directory For what it writes.
   * @param target Host and port to scrape.
   */
  constructor(directory: string, target: string) {
    const config = `${directory}/prometheus.yml`;
    // A busy machine may need more than a second for an answer, and the limit is an interval.
    Deno.writeTextFileSync(
      config,
      "global: {scrape_interval: 5s, scrape_timeout: 5s}\nscrape_configs:\n" +
        `  - {job_name: mt, static_configs: [{targets: ["${target}"]}]}\n`,
    );
    this.#child = new Deno.Command(PROMETHEUS, {
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${directory}/tsdb`,
        "--web.listen-address=127.0.0.1:0",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#errors += text;
      this.#address ??= /msg="Listening on" address=(\S+)\n/.exec(this.#errors)?.[1];
    }
  }

  /** Asks until it has an answer that is not empty. */
  async query(expression: string, watchdogMs = 300_000): Promise<Found[]> {
    const startMs = performance.now();
    let last = "";
    for (; performance.now() - startMs < watchdogMs; await setTimeout(100)) {
      if (this.#address === undefined) continue;
      try {
        const query = new URLSearchParams({ query: expression });
        const response = await fetch(`http://${this.#address}/api/v1/query?${query}`);
        last = await response.text();
        if (response.ok) {
          const { data } = JSON.parse(last) as {
            data: { result: { metric: Record<string, string>; value: [number, string] }[] };
          };
          if (data.result.length > 0) {
            return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
          }
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        last = error.message; // It does not answer yet.
      }
    }
    this.#child.kill("SIGKILL");
    await this.#reading;
    throw new Error(`Prometheus has no ${expression}: ${last}\n${this.#errors}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killChild(this.#child);
    await this.#reading;
  }
}
