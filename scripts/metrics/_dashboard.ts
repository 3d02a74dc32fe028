/**
 * The dashboard for Grafana, as JSON.
 *
 * @module
 */

import { VizLegendOptionsBuilder } from "@grafana/grafana-foundation-sdk/common";
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as LinesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { helpOf, metricsIn } from "./_catalog.ts";
import { type Panel, ROWS } from "./_panels.ts";

const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** Columns that a dashboard has. */
const COLUMNS = 24;

/** Returns the dashboard. */
export function makeDashboard(): string {
  let id = 0;
  const dashboard = new DashboardBuilder("message_transport")
    .uid("message-transport")
    .description("Channels, logs and services. Made by deno task gen:metrics.")
    .tags(["message_transport"])
    .time({ from: "now-30m", to: "now" })
    .refresh("10s")
    .readonly()
    .withVariable(
      new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"),
    )
    .withVariable(
      new QueryVariableBuilder("channel").label("Channel").datasource(SOURCE)
        .query("label_values(mt_channel_up, channel)").multi(true).includeAll(true).allValue(".*"),
    );
  for (const { title, panels } of ROWS) {
    dashboard.withRow(new RowBuilder(title).id(++id));
    for (const panel of panels) dashboard.withPanel(panelOf(panel, ++id));
  }
  return JSON.stringify(dashboard.build());
}

function panelOf({ title, unit, queries, isStat = false }: Panel, id: number) {
  const builder = isStat
    ? new StatBuilder().span(COLUMNS / 6).height(4)
    : new LinesBuilder().span(COLUMNS / 3).height(8).legend(
      new VizLegendOptionsBuilder().showLegend(true),
    );
  builder.id(id).title(title).unit(unit).datasource(SOURCE)
    .description(
      [...new Set(queries.flatMap(({ expr }) => metricsIn(expr)))].map(helpOf).join("\n\n"),
    );
  for (const [place, { expr, legend }] of queries.entries()) {
    const query = new DataqueryBuilder().refId(String.fromCharCode(65 + place)).expr(expr);
    builder.withTarget(legend === "" ? query : query.legendFormat(legend));
  }
  return builder;
}
