/**
 * Writes what is made of the definitions of metrics: `deno task gen:metrics`.
 *
 * @module
 */

import { runGenerator } from "./_generated_files.ts";
import { makeDashboard } from "./metrics/_dashboard.ts";
import { withTables } from "./metrics/_tables.ts";

if (import.meta.main) {
  await runGenerator(
    "gen:metrics",
    "the dashboard for Grafana, and the tables of docs/metrics.md",
    [
      { path: "deploy/grafana/dashboard.json", make: makeDashboard },
      { path: "docs/metrics.md", make: withTables },
    ],
  );
}
