/**
 * `mt metrics --once`: the metrics on the standard output.
 *
 * @module
 */

import type { Command } from "commander";
import { Watch } from "../../lib/observability/mod.ts";
import { jsonText } from "../_output.ts";
import { placeOf } from "../services/_channels.ts";
import { metrics } from "../services/metrics.ts";
import { runService, serviceHelp, settingsOf } from "../services/_service.ts";
import { type End, forwardTo } from "./_frame.ts";

const ONCE =
  "With --once it prints the metrics on the standard output, with --json as JSON, and ends.";

/** Adds `mt metrics`: the service, and what prints once. */
export function addMetricsCommand(program: Command, end: End): void {
  forwardTo(program.command(metrics.name), async (args) => {
    if (args.includes("--help")) console.log(`${serviceHelp(metrics)}\n\n${ONCE}`);
    else if (args.includes("--once")) await printOnce(args.filter((arg) => arg !== "--once"));
    else end(await runService(metrics, args));
  }).description(metrics.summary);
}

async function printOnce(args: string[]): Promise<void> {
  const values = settingsOf(metrics, args);
  const watch = new Watch(placeOf(values));
  // Takes long to load, which no other command should wait for.
  const { createRegistry } = await import("../../lib/observability/prometheus.ts");
  const registry = createRegistry(() => watch.look());
  if (!values.json) console.log((await registry.metrics()).trimEnd());
  else console.log(jsonText({ metrics: await registry.getMetricsAsJSON() }));
}
