// The sender, a receiver, or an idle receiver of the wake-up benchmark.
import { cpuUsage } from "node:process";
import { setImmediate } from "node:timers";
import { type Message, openChannel, openConsumer, openProducer, tickClock } from "../mod.ts";
import { nativeLoops } from "./_native.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** How a receiver waits for the next message. */
export type Way =
  | "forAwait"
  | "pollWaitPark"
  | "pollWaitSpin"
  | "setImmediate"
  | "unixSocket";

/** What a peer is to do. */
export interface WakeupJob {
  role: "send" | "receive" | "idle";
  core: number | undefined;
  way: Way;
  /** Messages, how many of them come first and are not counted, and the rest between two. */
  count: number;
  warmUpCount: number;
  gapMs: number;
  /** How long an idle receiver waits. */
  idleMs: number;
  channelName: string;
  socketPath: string;
}

/** One message: its number, and the low half of the tick clock when it was sent. */
const MESSAGE_BYTES = 64;
const { mt_bench_ticks } = nativeLoops;

/** Takes the messages' times, and checks that each arrives once and in order. */
class Arrivals {
  readonly #ticks: Uint32Array;
  #taken = 0;
  #wrong = 0;

  constructor(count: number) {
    this.#ticks = new Uint32Array(count);
  }

  /** Whether the last one has arrived. */
  get isComplete(): boolean {
    return this.#taken === this.#ticks.length;
  }

  /** Takes one message that has just arrived. */
  readonly take = ({ view, offset }: Pick<Message, "view" | "offset">): void => {
    const now = mt_bench_ticks();
    if (view.getUint32(offset, true) !== this.#taken) this.#wrong++;
    this.#ticks[this.#taken++] = now - view.getUint32(offset + 4, true);
  };

  /** Latencies in ns at some shares of the messages. */
  percentiles(warmUpCount: number): { p50Ns: number; p90Ns: number; p99Ns: number } {
    checkAnswers(this.#wrong);
    const sorted = this.#ticks.subarray(warmUpCount).toSorted();
    const perNs = tickClock().ticksPerSecond / 1e9;
    const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)]! / perNs);
    return { p50Ns: at(0.5), p90Ns: at(0.9), p99Ns: at(0.99) };
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function send(job: WakeupJob): Promise<void> {
  const { way, count, gapMs, channelName, socketPath } = job;
  const payload = new Uint8Array(MESSAGE_BYTES);
  const words = new Uint32Array(payload.buffer);
  const isSocket = way === "unixSocket";
  using channel = isSocket ? undefined : openChannel(channelName);
  const producer = channel && openProducer(channel);
  ready();
  using socket = isSocket ? await Deno.connect({ transport: "unix", path: socketPath }) : undefined;
  for (let i = 0; i < count; i++) {
    await sleep(gapMs);
    words[0] = i;
    words[1] = mt_bench_ticks();
    producer?.offer(payload);
    if (socket === undefined) continue;
    await socket.write(payload);
    const echo = await readWhole(socket);
    if (echo === undefined || echo.some((byte, at) => byte !== payload[at])) checkAnswers(1);
  }
}

async function readWhole(socket: Deno.Conn): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(MESSAGE_BYTES);
  for (let size = 0; size < bytes.length;) {
    const read = await socket.read(bytes.subarray(size));
    if (read === null) return undefined;
    size += read;
  }
  return bytes;
}

/** Takes messages until the last one, or for ever if `arrivals` is never complete. */
async function receive(job: WakeupJob, arrivals: Arrivals): Promise<void> {
  if (job.way === "unixSocket") return await receiveFromSocket(job.socketPath, arrivals);
  using channel = openChannel(job.channelName);
  const wait = ({ pollWaitPark: "park", pollWaitSpin: "spin" } as const)[job.way as string];
  const consumer = openConsumer(channel, wait === undefined ? {} : { wait });
  ready();
  switch (job.way) {
    case "forAwait":
      for await (const message of consumer) {
        arrivals.take(message);
        if (arrivals.isComplete) return;
      }
      return;
    case "setImmediate":
      while (!arrivals.isComplete) {
        consumer.poll(arrivals.take);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return;
    default:
      while (!arrivals.isComplete) consumer.pollWait(arrivals.take);
  }
}

async function receiveFromSocket(path: string, arrivals: Arrivals): Promise<void> {
  using listener = Deno.listen({ transport: "unix", path });
  ready();
  using socket = await listener.accept();
  for (;;) {
    const bytes = await readWhole(socket);
    if (bytes === undefined) return; // The sender has had its last answer.
    arrivals.take({ view: new DataView(bytes.buffer), offset: 0 });
    await socket.write(bytes);
  }
}

/** Waits while nothing arrives. Returns the share of a core that this takes, 0 to 1. */
async function idle(job: WakeupJob): Promise<number> {
  const settleMs = 500; // What starting up left to do is over by then.
  const measure = () => {
    const { user, system } = cpuUsage();
    return { us: user + system, atMs: performance.now() };
  };
  let [start, end] = [measure(), measure()];
  if (job.way === "pollWaitPark" || job.way === "pollWaitSpin") {
    using channel = openChannel(job.channelName);
    const wait = job.way === "pollWaitPark" ? "park" : "spin";
    const consumer = openConsumer(channel, { wait });
    ready();
    consumer.pollWait(checkNothing, { timeoutMs: settleMs });
    start = measure();
    consumer.pollWait(checkNothing, { timeoutMs: job.idleMs });
    end = measure();
  } else {
    void receive(job, new Arrivals(1)); // For ever: nothing is sent. The process ends below.
    await sleep(settleMs);
    start = measure();
    await sleep(job.idleMs);
    end = measure();
  }
  return (end.us - start.us) / 1000 / (end.atMs - start.atMs);
}

function checkNothing(): void {
  checkAnswers(1);
}

if (import.meta.main) {
  const job = takeJob<WakeupJob>();
  if (job.role === "send") {
    await send(job);
  } else if (job.role === "idle") {
    answer(await idle(job));
    Deno.exit();
  } else {
    const arrivals = new Arrivals(job.count);
    await receive(job, arrivals);
    answer(arrivals.percentiles(job.warmUpCount));
  }
}
