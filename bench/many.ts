/**
 * What does a message cost when many produce or many consume?
 *
 *     1, 2, 4 producers ──▶ one ring with producers: "many" ──▶ 1 consumer
 *     1 producer        ──▶ one ring                        ──▶ 1, 2, 4, 8 consumers
 *
 * Budget: a delivery costs no more with many than with one, as long as each process has a core.
 * Equal work: all runs deliver the same number of messages, counted over all consumers. The
 * baseline is a channel with a single producer. Every consumer checks that each producer's messages
 * come once and in order.
 *
 * Processes wait as they do by default (`adaptive`), and the kernel puts them where it likes. Where
 * there are more of them than cores they take turns, and the figures say what that costs.
 *
 * JSON: `{ "bytes", "rows": [ { "producers", "mode", "consumers", "nsPerDelivery", "nsPerMessage",
 * "isOversubscribed" } ], machine }`.
 *
 * @module
 */

import type { ManySpan } from "./_many_peer.ts";
import { BenchChannel, type Benchmark, type Context, medianBy } from "./_context.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatTable } from "./_table.ts";

/** Cost with some number of processes. */
export interface ManyRow {
  producers: number;
  /** What the channel was created for. */
  mode: "single" | "many";
  consumers: number;
  /** Time of the whole run by the messages delivered, over all consumers. */
  nsPerDelivery: number;
  /** The same by the messages published. */
  nsPerMessage: number;
  /** Whether there are more processes than cores. */
  isOversubscribed: boolean;
}

/** The benchmark's JSON. */
export interface ManyResult {
  bytes: number;
  rows: ManyRow[];
}

type Shape = Pick<ManyRow, "producers" | "mode" | "consumers">;

const SHAPES: readonly Shape[] = [
  { producers: 1, mode: "single", consumers: 1 },
  { producers: 1, mode: "many", consumers: 1 },
  { producers: 2, mode: "many", consumers: 1 },
  { producers: 4, mode: "many", consumers: 1 },
  { producers: 1, mode: "single", consumers: 2 },
  { producers: 1, mode: "single", consumers: 4 },
  { producers: 1, mode: "single", consumers: 8 },
];
const MESSAGE_BYTES = 64;

/** Messages delivered in a run, over all consumers. */
const SCALES = {
  full: { repetitions: 5, deliveries: 6_000_000 },
  quick: { repetitions: 1, deliveries: 1_200_000 },
  smoke: { repetitions: 1, deliveries: 24_000 },
};

async function measure(context: Context, shape: Shape): Promise<ManyRow> {
  const { producers, mode, consumers } = shape;
  const count = Math.floor(SCALES[context.scale].deliveries / consumers / producers);
  using channel = new BenchChannel({ producers: mode });
  const job = { channelName: channel.name, producers, count, bytes: MESSAGE_BYTES };
  const peer = (role: string, producer: number) => ({
    file: "_many_peer.ts",
    job: { ...job, role, producer },
  });
  const jobs = [
    ...Array.from({ length: consumers }, () => peer("consume", 0)),
    ...Array.from({ length: producers }, (_, i) => peer("produce", i)),
  ];
  const answers = await runPeers(jobs, context.signal);
  const spans = answers.slice(0, consumers) as ManySpan[];
  const elapsedNs = Math.max(...spans.map(({ lastNs }) => lastNs)) -
    Math.min(...spans.map(({ firstNs }) => firstNs));
  const nsPerMessage = Math.round(10 * elapsedNs / (count * producers)) / 10;
  return {
    ...shape,
    nsPerDelivery: Math.round(10 * nsPerMessage / consumers) / 10,
    nsPerMessage,
    isOversubscribed: jobs.length > navigator.hardwareConcurrency,
  };
}

async function run(context: Context): Promise<ManyResult> {
  const runs = SHAPES.map(() => [] as ManyRow[]);
  const { repetitions } = SCALES[context.scale];
  for (let i = 0; i < repetitions; i++) {
    for (const [place, shape] of SHAPES.entries()) {
      const { producers, consumers } = shape;
      context.progress(`${producers} to ${consumers}, run ${i + 1} of ${repetitions}`);
      runs[place]!.push(await measure(context, shape));
    }
  }
  const rows = runs.map((of) => medianBy(of, ({ nsPerMessage }) => nsPerMessage));
  return { bytes: MESSAGE_BYTES, rows };
}

function format({ bytes, rows }: ManyResult): string {
  const cells = rows.map((row) => [
    `${row.producers} (${row.mode}) to ${row.consumers}`,
    formatNs(row.nsPerDelivery),
    formatNs(row.nsPerMessage),
    row.isOversubscribed ? "yes" : "no",
  ]);
  const header = [
    `${bytes} B, producers to consumers`,
    "per delivery",
    "per message",
    "more processes than cores",
  ];
  return formatTable(header, cells);
}

/** The benchmark. */
export const many: Benchmark<ManyResult> = {
  summary: "cost of a message with 1, 2, 4 producers and 1, 2, 4, 8 consumers at equal work",
  run,
  format,
};
