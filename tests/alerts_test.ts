// Alerts, their runbook, the dashboard and the document of metrics: that each names what there is.

import { assert, assertEquals } from "@std/assert";
import { CATALOG, metricsIn } from "../scripts/metrics/_catalog.ts";
import { ROWS } from "../scripts/metrics/_panels.ts";
import { obstacle, promtool } from "./_prometheus.ts";
import { ROOT, runChild } from "./_support.ts";

const ALERTS = Deno.readTextFileSync(`${ROOT}deploy/prometheus/alerts.yml`);
const [, RUNBOOK = ""] = Deno.readTextFileSync(`${ROOT}docs/operations.md`).split("\n## Alerts\n");
const DOCUMENT = Deno.readTextFileSync(`${ROOT}docs/metrics.md`);
const DASHBOARD = Deno.readTextFileSync(`${ROOT}deploy/grafana/dashboard.json`);

const NAMES = new Set(CATALOG.map(({ name }) => name));

/** Names of metrics that there are none of. */
function unknownIn(text: string): string[] {
  return metricsIn(text).filter((name) => !NAMES.has(name));
}

Deno.test("Each alert has a section of the runbook, and each section an alert", () => {
  const alerts = [...ALERTS.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
  const links = [...ALERTS.matchAll(/runbook_url: (\S+)/g)].map(([, url]) => url);
  const sections = [...RUNBOOK.matchAll(/^### (.+)$/gm)].map(([, name]) => name!);
  assert(alerts.length > 10);
  assertEquals(links, alerts.map((name) => `docs/operations.md#${name.toLowerCase()}`));
  assertEquals(sections.toSorted(), alerts.toSorted());
});

Deno.test("Alerts, runbook and dashboard name only metrics that there are", () => {
  assertEquals(unknownIn(ALERTS), []);
  assertEquals(unknownIn(RUNBOOK), []);
  for (const { panels } of ROWS) {
    for (const { title, queries } of panels) {
      for (const { expr } of queries) assertEquals(unknownIn(expr), [], title);
    }
  }
  assertEquals(unknownIn("rate(mt_nothing_total[5m])"), ["mt_nothing_total"]);
});

Deno.test("docs/metrics.md and the dashboard are as they would be made now", async () => {
  for (const { name } of CATALOG) assert(DOCUMENT.includes(`\`${name}\``), name);
  const { panels } = JSON.parse(DASHBOARD) as { panels: unknown[] };
  const expected = ROWS.reduce((count, { panels }) => count + 1 + panels.length, 0);
  assertEquals(panels.length, expected);
  const script = ["run", "--quiet", "--no-prompt", "-A", "scripts/gen_metrics.ts", "--check"];
  const { code, stderr } = await runChild(script);
  assertEquals([code, stderr], [0, ""]);
});

Deno.test({
  name: `promtool finds the rules right, and each alert comes when it should${obstacle}`,
  ignore: obstacle !== "",
  async fn() {
    const rules = `${ROOT}deploy/prometheus/alerts`;
    const { code, output } = await promtool(["check", "rules", `${rules}.yml`]);
    assertEquals(code, 0, output);
    const tested = await promtool(["test", "rules", `${rules}_test.yml`]);
    assertEquals(tested.code, 0, tested.output);
  },
});
