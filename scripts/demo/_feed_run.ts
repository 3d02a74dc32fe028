/**
 * The demo on an exchange's feed: a collector publishes it, market data shows its books, and an
 * auditor follows both.
 *
 * @module
 */

import { setImmediate, setTimeout } from "node:timers/promises";
import type { Instrument } from "../../lib/market/mod.ts";
import { type Channel, type Consumer, createChannel, openConsumer } from "../../mod.ts";
import { collector } from "../services/collector.ts";
import { marketData } from "../services/market_data.ts";
import { type Supervised, Supervisor } from "../services/_supervisor.ts";
import { formatCount } from "../_table.ts";
import { BookAudit } from "./_book_audit.ts";
import { type FeedReport, type FeedSource, makeFeedReport } from "./_feed_report.ts";
import { Interruption } from "./_interruption.ts";
import { MarketDataClient } from "./_market_data_client.ts";
import { RunPlace } from "./_place.ts";
import { Progress, Rate } from "./_progress.ts";

/** What is to be shown. */
export interface FeedOptions {
  /** What of the feed. */
  symbol: string;
  source: FeedSource;
  /** No progress. */
  isQuiet: boolean;
  /** Tells the address of the page. */
  showsPage: boolean;
}

/** Bytes of the ring. */
const BUFFER_SIZE = "16MB";

/** Milliseconds between two turns of the event loop under load. */
const TURN_MS = 50;

/**
 * Runs the demo. Leaves neither a process nor a file, however it ends.
 *
 * @throws {InterruptedError} If a signal ended it before its time.
 * @throws {ScriptError} If a service failed for good.
 */
export async function runFeed(options: FeedOptions): Promise<FeedReport> {
  using interruption = new Interruption();
  await using place = new RunPlace();
  let describe = () => "starting";
  using progress = new Progress(() => describe(), options);
  await using supervisor = new Supervisor(place.lockFile);
  using channel = createMarketChannel(options, place);
  const run = new FeedRun({ options, place, supervisor, channel });
  const work = async () => {
    const url = await run.begin();
    if (options.showsPage) progress.note(`page: ${url}`);
    describe = () => run.describe();
    return await run.finish(interruption);
  };
  const failures = [supervisor.failure];
  if (!isEndless(options)) failures.push(interruption.promise);
  return await Promise.race([work(), ...failures]);
}

function isEndless({ source }: FeedOptions): boolean {
  return "live" in source && source.seconds === 0;
}

/** The first to come, so that the auditor is there before the first message. */
function createMarketChannel({ symbol }: FeedOptions, place: RunPlace): Channel {
  return createChannel(`${place.channelPrefix}market.${symbol.toLowerCase()}`, {
    sizeBytes: BUFFER_SIZE,
    walDir: `${place.directory}/wal`,
    persister: "outside",
  });
}

/** A run from the collector's start to the report. */
class FeedRun {
  readonly #options: FeedOptions;
  readonly #place: RunPlace;
  readonly #supervisor: Supervisor;
  readonly #channel: Channel;
  /** Holds the collector back when it is slow: it may not miss a message. */
  readonly #consumer: Consumer;
  readonly #rate = new Rate();
  #audit: BookAudit | undefined;
  #collector: Supervised | undefined;
  #marketData: Supervised | undefined;

  constructor(
    parts: { options: FeedOptions; place: RunPlace; supervisor: Supervisor; channel: Channel },
  ) {
    this.#options = parts.options;
    this.#place = parts.place;
    this.#supervisor = parts.supervisor;
    this.#channel = parts.channel;
    this.#consumer = openConsumer(parts.channel, { name: "audit", from: "earliest" });
  }

  /**
   * Starts the collector, which knows the instrument, and market data, which reads in the log what
   * has come before it. Returns the page's address.
   */
  async begin(): Promise<string> {
    const { source, symbol } = this.#options;
    this.#collector = this.#supervisor.start(collector, {
      args: [
        ...[...this.#channelArgs(), "--symbols", symbol],
        ...("live" in source ? ["--live"] : ["--feed", source.path, "--pace", source.pace]),
      ],
    });
    const [instrument] = (await this.#collector.ready).markets as Instrument[];
    this.#audit = new BookAudit(instrument!);
    this.#marketData = this.#supervisor.start(marketData, {
      args: [...this.#channelArgs(), "--markets", symbol],
      isRestarted: true,
    });
    return (await this.#marketData.ready).url as string;
  }

  #channelArgs(): string[] {
    const { directory, channelPrefix } = this.#place;
    return [
      ...["--channel-prefix", channelPrefix, "--buffer-size", BUFFER_SIZE],
      ...["--wal-dir", `${directory}/wal`, "--durability", "memory", "--sync", "none"],
      ...["--instruments-file", `${directory}/state/instruments`],
    ];
  }

  /** Shows the channel as any observer sees it, and the book. */
  describe(): string {
    const count = this.#channel.stats().nextSequence - 1;
    return `${formatCount(count)} records, ${formatCount(this.#rate.next(count))}/s` +
      (this.#audit === undefined ? "" : `, ${this.#audit.top}`);
  }

  /** Lets the feed come to its end, and judges. */
  async finish(interruption: Interruption): Promise<FeedReport> {
    const { source, symbol } = this.#options;
    const [collecting, audit] = [this.#collector!, this.#audit!];
    const startMs = performance.now();
    const following = this.#follow(audit);
    if ("live" in source) {
      const signal = interruption.promise.catch(() => {});
      await (source.seconds > 0 ? setTimeout(source.seconds * 1000) : signal);
      await collecting.stop();
    }
    const collected = await collecting.ended;
    await this.#settled(audit);
    const seconds = (performance.now() - startMs) / 1000;
    const market = new MarketDataClient((await this.#marketData!.ready).url as string);
    const isSame = audit.isSame(await market.book(symbol));
    this.#consumer.close();
    await following;
    await this.#marketData!.stop();
    return makeFeedReport({
      ...{ symbol, source, seconds, collected, isSame },
      records: this.#channel.stats().nextSequence - 1,
      figures: await audit.figures(),
    });
  }

  async #follow(audit: BookAudit): Promise<void> {
    let turnMs = performance.now();
    while (await this.#consumer.wait()) {
      this.#consumer.poll((message) => audit.take(message));
      if (performance.now() - turnMs < TURN_MS) continue;
      await setImmediate(); // Under load, `wait` never lets others have their turn.
      turnMs = performance.now();
    }
  }

  /**
   * Waits until both consumers have everything; the collector has ended. What it has given back may
   * stand at the end: it counts as a record, and nobody is given it.
   */
  async #settled(audit: BookAudit): Promise<void> {
    while (this.#consumer.poll((message) => audit.take(message)) > 0);
    const { delivered } = this.#consumer;
    const cursor = () =>
      this.#channel.stats().consumers.find(({ name }) => name === "market-data")?.cursor ?? 0;
    while (cursor() < delivered) await setTimeout(10);
  }
}
