/**
 * Runs the demo: a channel, three processes around it, and the end of all four in any case.
 *
 * @module
 */

import { findLibrary } from "../../lib/native/binary.ts";
import { type Channel, createChannel, type Peer, removeChannel } from "../../mod.ts";
import { ScriptError, UsageError } from "../_command.ts";
import { allow } from "../services/_permissions.ts";
import { ChildProcess } from "./_process.ts";
import { Progress } from "./_progress.ts";
import {
  type ChildSettings,
  type Collected,
  type EventOf,
  type FeedSettings,
  ORDER_BOOK,
  TRADE_STATISTICS,
} from "./_protocol.ts";

/** What is to be shown. */
export interface DemoOptions {
  feed: FeedSettings;
  /** Size of the ring, as `createChannel` takes it. */
  size: string;
  /** Directory of the ring file; absolute. */
  directory?: string;
  /** Seconds for which the idle consumers are measured; 0 leaves it out. */
  idleSeconds: number;
  /** No progress. */
  isQuiet: boolean;
}

/** Shares of the messages that latencies are told for: the median, p90, p99, p99.9. */
const LATENCY_SHARES = [0.5, 0.9, 0.99, 0.999];

/** What is known of a consumer at the end. */
export interface ConsumerOutcome {
  name: string;
  /** By itself. */
  finished: EventOf<"finished">;
  /** By the channel. */
  peer: Peer;
  latency: { count: number; values: number[] };
  /** Undefined where it was not measured. */
  idleCpuShare: number | undefined;
}

/** What a run has shown. */
export interface Outcome {
  collected: Collected;
  producer: Peer;
  books: ConsumerOutcome;
  trades: ConsumerOutcome;
  ringBytes: number;
}

/** The demo was told to end by a signal. */
export class InterruptedError extends Error {
  override name = "InterruptedError";
  /** Exit status by which a shell tells that signal. */
  readonly status: number;

  /** Takes the signal. */
  constructor(signal: Deno.Signal, number: number) {
    super(`Cannot finish the demo: found signal ${signal}`);
    this.status = 128 + number;
  }
}

const SIGNALS: [signal: Deno.Signal, number: number][] = [
  ["SIGINT", 2],
  ["SIGTERM", 15],
];

/** Rejects at a signal, for as long as it is not disposed of. */
class Interruption implements Disposable {
  readonly #deferred = Promise.withResolvers<never>();
  readonly #listeners = SIGNALS.map(([signal, number]) => {
    const listener = () => this.#deferred.reject(new InterruptedError(signal, number));
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });

  get promise(): Promise<never> {
    return this.#deferred.promise;
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

/**
 * Runs the demo. Leaves neither a process nor a file, however it ends; if this process is killed,
 * its children see to that.
 *
 * @throws {InterruptedError} If a signal ended it.
 * @throws {ScriptError} If a child failed, or the channel cannot be made.
 * @throws {UsageError} If `size` is none.
 */
export async function runDemo(options: DemoOptions): Promise<Outcome> {
  using interruption = new Interruption();
  using channel = createDemoChannel(options);
  using progress = new Progress(channel, options);
  let children: Children | undefined;
  try {
    children = new Children(channel, options, progress);
    const work = converse(channel, children, options, progress);
    return await Promise.race([work, interruption.promise, ...children.failures]);
  } finally {
    await children?.kill();
    removeIfThere(channel, options);
  }
}

function createDemoChannel({ size, directory }: DemoOptions): Channel {
  const name = `demo-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
  try {
    return createChannel(name, {
      sizeBytes: size,
      producers: "single",
      timestamps: true,
      ...(directory === undefined ? {} : { directory }),
    });
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    if (error instanceof TypeError || !(error instanceof Error)) throw error;
    throw new ScriptError(error.message);
  }
}

function removeIfThere({ name }: Channel, { directory }: DemoOptions): void {
  try {
    removeChannel(name, directory === undefined ? {} : { directory });
  } catch (error) {
    // Somebody else has removed it; that is no reason to hide how the demo went.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The three processes. */
class Children {
  readonly collector: ChildProcess;
  readonly books: ChildProcess;
  readonly trades: ChildProcess;

  constructor(channel: Channel, { feed, directory }: DemoOptions, progress: Progress) {
    const settings: ChildSettings = {
      channel: channel.name,
      feed,
      ...(directory === undefined ? {} : { directory }),
    };
    const place = directory === undefined ? [] : [directory];
    const onPlace = [...allow("read", place), ...allow("write", place)];
    this.collector = new ChildProcess({
      name: "collector",
      script: "collector.ts",
      // Unscoped: its claims are views of the ring's memory.
      permissions: [
        "--allow-ffi",
        ...allow("read", "path" in feed ? [...place, feed.path] : place),
        ...allow("write", place),
      ],
      settings,
    });
    this.books = new ChildProcess({
      name: ORDER_BOOK,
      script: "order_books.ts",
      // Unscoped: it reads in place, and its notifier thread calls into JavaScript.
      permissions: ["--allow-ffi", ...onPlace],
      settings,
      onTop: (event) => progress.takeTop(event),
    });
    this.trades = new ChildProcess({
      name: TRADE_STATISTICS,
      script: "trade_statistics.ts",
      permissions: [...allow("ffi", [findLibrary()]), ...onPlace],
      settings,
    });
  }

  get all(): ChildProcess[] {
    return [this.collector, this.books, this.trades];
  }

  get failures(): Promise<never>[] {
    return this.all.map(({ failure }) => failure);
  }

  async kill(): Promise<void> {
    await Promise.all(this.all.map((child) => child.kill()));
  }
}

/** The demo from the first word to the last. */
async function converse(
  channel: Channel,
  children: Children,
  { feed, idleSeconds }: DemoOptions,
  progress: Progress,
): Promise<Outcome> {
  const { collector, books, trades } = children;
  const consumers = [books, trades];
  // Consumers are there before the feed begins, or they would miss its first messages.
  await Promise.all(children.all.map((child) => child.expect("ready")));
  progress.begin("path" in feed ? "recorded feed" : "made-up feed", { isFlowing: true });
  await collector.send({ do: "start" });
  const collected = await collector.expect("published");
  const sequence = collected.published;
  await Promise.all(consumers.map((child) => child.send({ do: "finish", sequence })));
  const finished = await Promise.all(consumers.map((child) => child.expect("finished")));
  const idle = await measureIdle(consumers, idleSeconds, progress);
  const { producers, consumers: peers } = channel.stats();
  const outcomes = consumers.map(({ name }, i): ConsumerOutcome => {
    const peer = peers.find((peer) => peer.name === name)!;
    const latency = channel.latency(peer.index, LATENCY_SHARES);
    return { name, finished: finished[i]!, peer, latency, idleCpuShare: idle[i] };
  });
  await Promise.all(children.all.map((child) => child.end()));
  return {
    collected,
    producer: producers[0]!,
    books: outcomes[0]!,
    trades: outcomes[1]!,
    ringBytes: channel.sizeBytes,
  };
}

async function measureIdle(
  consumers: ChildProcess[],
  seconds: number,
  progress: Progress,
): Promise<number[]> {
  if (seconds === 0) return [];
  progress.begin(`measuring idle consumers for ${seconds} s`, { isFlowing: false });
  return await Promise.all(consumers.map(async (child) => {
    await child.send({ do: "idle", seconds });
    return (await child.expect("idle")).cpuShare;
  }));
}
