/**
 * `mt metrics --once`: the metrics on the standard output.
 *
 * @module
 */

import type { Command } from "commander";
import { Watch } from "../../lib/observability/mod.ts";
import { placeOf } from "../services/_channels.ts";
import { metrics } from "../services/metrics.ts";
import { runService, serviceHelp, settingsOf } from "../services/_service.ts";
import { type End, forwardTo } from "./_frame.ts";

const ONCE = "With --once it prints the metrics on the standard output, and ends.";

/** Adds `mt metrics`: the service, and what prints once. */
export function addMetricsCommand(program: Command, end: End): void {
  forwardTo(program.command(metrics.name), async (args) => {
    if (args.includes("--help")) console.log(`${serviceHelp(metrics)}\n\n${ONCE}`);
    else if (args.includes("--once")) await printOnce(args.filter((arg) => arg !== "--once"));
    else end(await runService(metrics, args));
  }).description(metrics.summary);
}

async function printOnce(args: string[]): Promise<void> {
  const watch = new Watch(placeOf(settingsOf(metrics, args)));
  // Takes long to load, which no other command should wait for.
  const { createRegistry } = await import("../../lib/observability/prometheus.ts");
  const text = await createRegistry(() => watch.look()).metrics();
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
