/**
 * The floors of `pipeline.ts`: what its messages take that do nothing on the way.
 *
 * @module
 */

import { monotonicNs, openChannel, openConsumer, openProducer } from "../mod.ts";
import { pace } from "../scripts/load/pace.ts";
import { percentilesOf } from "./_context.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do: both of a pair send `count` messages, `rate` a second. */
export type FloorJob =
  & { rate: number; count: number }
  & (
    | { kind: "echoServer"; port: number }
    | { kind: "echoClient"; port: number }
    | { kind: "ringSender"; channel: string }
    | { kind: "ringReceiver"; channel: string }
  );

/** Bytes of an order in JSON, about. */
const TEXT_BYTES = 250;
/** Bytes of an order in a ring. */
const RECORD_BYTES = 88;

/** Sends back what comes, until its one client has closed. */
async function serveEcho(port: number): Promise<void> {
  const closed = Promise.withResolvers<void>();
  const server = Deno.serve({ port, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    socket.onclose = () => closed.resolve();
    return response;
  });
  ready();
  await closed.promise;
  await server.shutdown();
}

/** Half of the time there and back, counted from when it was due. */
async function askEcho(job: FloorJob, port: number): Promise<void> {
  ready();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  const times = new Float64Array(job.count);
  const done = Promise.withResolvers<void>();
  let got = 0;
  let wrong = 0;
  socket.onmessage = ({ data }) => {
    const { number, dueNs } = JSON.parse(data);
    if (number !== got) wrong++;
    times[got++] = (monotonicNs() - dueNs) / 2;
    if (got === job.count) done.resolve();
  };
  await new Promise((resolve) => socket.onopen = resolve);
  let sent = 0;
  const padding = "x".repeat(TEXT_BYTES);
  await pace(job, (dueNs) => socket.send(JSON.stringify({ number: sent++, dueNs, padding })));
  await done.promise;
  socket.close();
  checkAnswers(wrong);
  answer(percentilesOf(times));
}

async function sendRing(job: FloorJob, name: string): Promise<void> {
  using channel = openChannel(name);
  using producer = openProducer(channel);
  const payload = new Uint8Array(RECORD_BYTES);
  const times = new Float64Array(payload.buffer, 0, 1);
  ready();
  await pace(job, (dueNs) => {
    times[0] = dueNs;
    producer.write(payload);
  });
}

/** The time from when a message was due until its handler, of a consumer as services have it. */
async function receiveRing({ count }: FloorJob, name: string): Promise<void> {
  using channel = openChannel(name);
  using consumer = openConsumer(channel, { from: "earliest" });
  const times = new Float64Array(count);
  let got = 0;
  ready();
  while (got < count && await consumer.wait()) {
    consumer.poll(({ view, offset }) => {
      times[got++] = monotonicNs() - view.getFloat64(offset, true);
    });
  }
  checkAnswers(Math.abs(channel.stats().nextSequence - 1 - count));
  answer(percentilesOf(times));
}

if (import.meta.main) {
  const job = takeJob<FloorJob & { core?: number }>();
  if (job.kind === "echoServer") await serveEcho(job.port);
  else if (job.kind === "echoClient") await askEcho(job, job.port);
  else if (job.kind === "ringSender") await sendRing(job, job.channel);
  else await receiveRing(job, job.channel);
}
