/**
 * What the dashboard shows: rows of panels, and what each asks Prometheus.
 *
 * @module
 */

/** A query, and the name of each series that it finds. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** A panel. */
export interface Panel {
  readonly title: string;
  /** As Grafana calls it. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** One large number in place of lines. */
  readonly isStat?: boolean;
}

/** A row of panels. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const CHANNEL = 'channel=~"$channel"';

function panel(title: string, unit: string, ...queries: [expr: string, legend: string][]): Panel {
  return { title, unit, queries: queries.map(([expr, legend]) => ({ expr, legend })) };
}

function stat(title: string, unit: string, expr: string): Panel {
  return { title, unit, queries: [{ expr, legend: "" }], isStat: true };
}

/** What a counter of channels grows by in a second. */
function rate(metric: string, labels: string): string {
  return `sum by (${labels}) (rate(${metric}{${CHANNEL}}[$__rate_interval]))`;
}

/** What a counter of services grows by in a second. */
function serviceRate(metric: string): string {
  return `sum by (service) (rate(${metric}[$__rate_interval]))`;
}

/** A quantile of a histogram. */
function quantile(q: number, metric: string, by: string, filter = ""): string {
  const buckets = `rate(${metric}_bucket${filter}[$__rate_interval])`;
  return `histogram_quantile(${q}, sum by (${by}, le) (${buckets}))`;
}

/** The middle and the slowest hundredth of a histogram. */
function quantiles(
  metric: string,
  { by, legend, filter = "" }: { by: string; legend: string; filter?: string },
): [expr: string, legend: string][] {
  return [
    [quantile(0.5, metric, by, filter), `${legend} p50`],
    [quantile(0.99, metric, by, filter), `${legend} p99`],
  ];
}

const OF_CHANNEL = { by: "channel", legend: "{{channel}}", filter: `{${CHANNEL}}` };
const OF_CONSUMER = {
  by: "channel, consumer",
  legend: "{{channel}} → {{consumer}}",
  filter: `{${CHANNEL}}`,
};
const OF_SERVICE = { by: "service", legend: "{{service}}" };

/** The dashboard, from top to bottom. */
export const ROWS: readonly Row[] = [
  {
    title: "At a glance",
    panels: [
      stat("Services up", "none", "sum(mt_service_up)"),
      stat("Messages", "mps", "sum(rate(mt_channel_messages_total[$__rate_interval]))"),
      stat(
        "Fullest ring",
        "percentunit",
        "max(mt_channel_occupancy_bytes / mt_channel_size_bytes)",
      ),
      stat("Longest stall", "s", "max(mt_consumer_stalled_seconds)"),
      stat("Not durable", "none", "sum(mt_wal_lag_messages)"),
      stat("Least disk left", "bytes", "min(mt_wal_disk_free_bytes)"),
    ],
  },
  {
    title: "Channels",
    panels: [
      panel("Messages", "mps", [rate("mt_channel_messages_total", "channel"), "{{channel}}"]),
      panel("Bytes", "Bps", [rate("mt_channel_bytes_total", "channel"), "{{channel}}"]),
      panel("Ring in use", "percentunit", [
        `mt_channel_occupancy_bytes{${CHANNEL}} / mt_channel_size_bytes`,
        "{{channel}}",
      ]),
      panel("No room", "ops", [
        rate("mt_producer_back_pressured_total", "channel, producer"),
        "{{channel}} ← {{producer}}",
      ]),
      panel(
        "Wake-ups",
        "ops",
        [rate("mt_producer_wakeups_sent_total", "channel"), "{{channel}} sent"],
        [rate("mt_producer_wakeups_skipped_total", "channel"), "{{channel}} skipped"],
      ),
      panel(
        "Repaired after crashes",
        "short",
        [`sum by (channel) (mt_producer_repaired_total{${CHANNEL}})`, "{{channel}} by producers"],
        [`sum by (channel) (mt_consumer_repaired_total{${CHANNEL}})`, "{{channel}} by consumers"],
      ),
    ],
  },
  {
    title: "Consumers",
    panels: [
      panel("Behind", "none", [`mt_consumer_lag_messages{${CHANNEL}}`, OF_CONSUMER.legend]),
      panel("Stands still", "s", [`mt_consumer_stalled_seconds{${CHANNEL}}`, OF_CONSUMER.legend]),
      panel("Hand-off", "s", ...quantiles("mt_consumer_handoff_seconds", OF_CONSUMER)),
      panel("Lost by being overrun", "mps", [
        rate("mt_consumer_lost_total", "channel, consumer"),
        OF_CONSUMER.legend,
      ]),
      panel(
        "Waits",
        "ops",
        [rate("mt_consumer_waits_total", "channel, consumer"), OF_CONSUMER.legend],
        [
          rate("mt_consumer_waits_timed_out_total", "channel, consumer"),
          `${OF_CONSUMER.legend} timed out`,
        ],
      ),
      panel(
        "Defects: damaged, late",
        "short",
        [`sum by (channel) (mt_consumer_damaged_total{${CHANNEL}})`, "{{channel}} damaged"],
        [`sum by (channel) (mt_consumer_late_wakeups_total{${CHANNEL}})`, "{{channel}} late"],
        [`sum by (channel) (mt_producer_late_wakeups_total{${CHANNEL}})`, "{{channel}} late room"],
      ),
    ],
  },
  {
    title: "Logs",
    panels: [
      panel("Not durable", "none", [`mt_wal_lag_messages{${CHANNEL}}`, "{{channel}}"]),
      panel("Sync", "s", ...quantiles("mt_wal_sync_seconds", OF_CHANNEL)),
      panel("Group", "bytes", ...quantiles("mt_wal_group_bytes", OF_CHANNEL)),
      panel("State", "short", [
        `mt_wal_state{${CHANNEL}, state!="running"} == 1`,
        "{{channel}} {{state}}",
      ]),
      panel("Size", "bytes", [`mt_wal_size_bytes{${CHANNEL}}`, "{{channel}}"]),
      panel("Disk left", "bytes", [`mt_wal_disk_free_bytes{${CHANNEL}}`, "{{channel}}"]),
    ],
  },
  {
    title: "Services",
    panels: [
      panel("Up", "short", ["mt_service_up", "{{service}}"]),
      panel(
        "Orders",
        "ops",
        [serviceRate("mt_gateway_orders_total"), "{{service}} published"],
        [serviceRate("mt_gateway_orders_acknowledged_total"), "{{service}} acknowledged"],
        [serviceRate("mt_gateway_refused_total"), "{{service}} refused"],
      ),
      panel("Acknowledgement", "s", ...quantiles("mt_gateway_ack_seconds", OF_SERVICE)),
      panel(
        "Engine",
        "ops",
        [serviceRate("mt_engine_requests_total"), "{{service}} requests"],
        [serviceRate("mt_engine_events_total"), "{{service}} events"],
        [serviceRate("mt_engine_trades_total"), "{{service}} trades"],
      ),
      panel("Engine behind", "none", ["mt_engine_lag_requests", "{{service}}"]),
      panel("End to end", "s", ...quantiles("mt_hop_end_to_end_seconds", OF_SERVICE)),
      panel(
        "Clients of market data",
        "none",
        ["mt_market_data_clients_open", "{{service}} open"],
        ["mt_market_data_clients_behind", "{{service}} behind"],
      ),
      panel("Collected", "mps", [serviceRate("mt_collector_messages_total"), "{{service}}"]),
      panel("Checkpoint", "s", ...quantiles("mt_checkpoint_seconds", OF_SERVICE)),
      panel("Processor", "percentunit", [
        serviceRate("mt_process_cpu_seconds_total"),
        "{{service}}",
      ]),
      panel("Memory", "bytes", ["mt_process_resident_bytes", "{{service}}"]),
      panel("Event loop lag", "s", ...quantiles("mt_event_loop_lag_seconds", OF_SERVICE)),
    ],
  },
  {
    title: "Exporter",
    panels: [
      panel("Time of a look", "s", ["mt_exporter_look_seconds", "{{instance}}"]),
      panel(
        "Series",
        "none",
        ["mt_exporter_series", "{{instance}} shown"],
        ["rate(mt_exporter_series_left_out_total[$__rate_interval])", "{{instance}} left out"],
      ),
      panel("Files that are no channels", "none", ["mt_channel_up == 0", "{{channel}}"]),
    ],
  },
];
