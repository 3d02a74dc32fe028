/**
 * What does it cost to send market data to many clients?
 *
 *     feed ──▶ market data (REST and WebSocket) ──▶ 1, 10, 100, 500 clients in one other process
 *
 * Budget: a message to a client costs the server no more than 1.2 times what the floor's does. The
 * floor is a bare `Deno.serve` that sends the same text to the same clients by `WebSocket.send`,
 * without looking at who keeps up. An update changes eight levels, about 300 bytes.
 *
 * `most` is as fast as the clients take it; `latency` is at a fixed rate, from when an update
 * should have been sent, to its parsing in a client. Every client checks that each update follows
 * the one before. A client that lags gets several updates as one: `merged` is their share.
 *
 * JSON: `{ "rateHz", "rows": [ { "clients", "server", "perSecond", "cpuUsPerMessage", "merged",
 * "latency": { "p50Ns", … } } ], machine }`.
 *
 * @module
 */

import { type Benchmark, type Context, medianBy, type Percentiles } from "./_context.ts";
import type { FanoutClientsAnswer, FanoutClientsJob } from "./_fanout_clients.ts";
import type { FanoutServerAnswer, FanoutServerJob } from "./_fanout_server.ts";
import { runPeers } from "./_processes.ts";
import { formatNs, formatRate, formatTable } from "./_table.ts";

/** Fan-out to some number of clients. */
export interface FanoutRow {
  clients: number;
  server: "feed" | "floor";
  /** Messages that all clients together received in a second, as fast as they take them. */
  perSecond: number;
  /** Microseconds of processor time that the server needs for each of them. */
  cpuUsPerMessage: number;
  /** Share of the updates at the fixed rate that a client did not get on their own. */
  merged: number;
  /** At the fixed rate. */
  latency: Percentiles;
}

/** The benchmark's JSON. */
export interface FanoutResult {
  /** Updates a second to each client. */
  rateHz: number;
  rows: FanoutRow[];
}

/** Levels that an update changes: each is an event of its own. */
const EVENTS_PER_UPDATE = 8;

/** Messages of a run as fast as possible, over all clients, and seconds of one at a fixed rate. */
const SCALES = {
  full: { repetitions: 3, clients: [1, 10, 100, 500], messages: 200_000, seconds: 6, rateHz: 50 },
  quick: { repetitions: 1, clients: [1, 10, 100, 500], messages: 50_000, seconds: 2, rateHz: 50 },
  smoke: { repetitions: 1, clients: [1, 10], messages: 100, seconds: 0.2, rateHz: 50 },
};

type Shape = Pick<FanoutServerJob, "server" | "clients" | "updates" | "rateHz">;

async function runServer(
  context: Context,
  shape: Shape,
): Promise<FanoutServerAnswer & FanoutClientsAnswer> {
  const { clients, updates } = shape;
  const directory = Deno.makeTempDirSync();
  const portFile = `${directory}/port`;
  const server: FanoutServerJob = { ...shape, portFile };
  const lastSequence = EVENTS_PER_UPDATE * updates;
  const followers: FanoutClientsJob = { portFile, clients, lastSequence, updates };
  const net = "--allow-net=127.0.0.1";
  try {
    const [served, followed] = await runPeers([
      { file: "_fanout_server.ts", job: server, permissions: [net, `--allow-write=${directory}`] },
      {
        file: "_fanout_clients.ts",
        job: followers,
        permissions: [net, `--allow-read=${directory}`],
      },
    ], context.signal);
    return { ...served as FanoutServerAnswer, ...followed as FanoutClientsAnswer };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function measure(
  context: Context,
  { clients, server }: Pick<FanoutRow, "clients" | "server">,
): Promise<FanoutRow> {
  const { messages, seconds, rateHz } = SCALES[context.scale];
  const updates = Math.ceil(messages / clients);
  const most = await runServer(context, { clients, server, updates, rateHz: 0 });
  const paced = { clients, server, updates: Math.ceil(seconds * rateHz), rateHz };
  const { received, latency } = await runServer(context, paced);
  return {
    ...{ clients, server, latency },
    perSecond: Math.round(most.received / most.seconds),
    cpuUsPerMessage: Math.round(10 * most.cpuUs / most.received) / 10,
    merged: Math.round(1000 * (1 - received / clients / paced.updates)) / 1000,
  };
}

async function run(context: Context): Promise<FanoutResult> {
  const { repetitions, clients, rateHz } = SCALES[context.scale];
  const shapes = clients.flatMap((count) => [
    { clients: count, server: "floor" as const },
    { clients: count, server: "feed" as const },
  ]);
  const runs = shapes.map(() => [] as FanoutRow[]);
  for (let i = 0; i < repetitions; i++) {
    for (const [place, shape] of shapes.entries()) {
      context.progress(
        `${shape.server} to ${shape.clients} clients, run ${i + 1} of ${repetitions}`,
      );
      runs[place]!.push(await measure(context, shape));
    }
  }
  const rows = runs.map((of) => medianBy(of, ({ cpuUsPerMessage }) => cpuUsPerMessage));
  return { rateHz, rows };
}

function format({ rateHz, rows }: FanoutResult): string {
  const cells = rows.map(({ clients, server, perSecond, cpuUsPerMessage, latency, merged }) => [
    `${clients} (${server === "feed" ? "market data" : "floor"})`,
    formatRate(perSecond),
    `${cpuUsPerMessage} us`,
    formatNs(latency.p50Ns),
    formatNs(latency.p99Ns),
    `${(100 * merged).toFixed(1)} %`,
  ]);
  const header = [
    ...["clients", "messages/s", "server CPU per message"],
    ...[`p50 at ${rateHz}/s`, `p99 at ${rateHz}/s`, "merged"],
  ];
  return formatTable(header, cells);
}

/** The benchmark. */
export const fanout: Benchmark<FanoutResult> = {
  summary: "market data to 1, 10, 100, 500 WebSocket clients",
  run,
  format,
};
