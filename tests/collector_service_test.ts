import { assert, assertEquals, assertGreater } from "@std/assert";
import { readCounters } from "../lib/observability/mod.ts";
import { FakeExchange } from "../lib/market/fake_exchange/fake_exchange.ts";
import {
  BookTicker,
  KIND_BOOK_TICKER,
  KIND_TRADE,
  messageKind,
  openInstruments,
  OrderBook,
  TickerOracle,
  Trade,
} from "../lib/market/mod.ts";
import { createChannel, type Message, openChannel, openConsumer } from "../mod.ts";
import { readSettings } from "../scripts/services/_settings.ts";
import { collector } from "../scripts/services/collector.ts";
import { spawnService } from "../scripts/services/_service.ts";
import { BookConsumer } from "./_collector.ts";
import { assertRecordedBook, HAS_RECORDING, RECORDING } from "./_recording.ts";
import { ServiceProcess } from "./_service_process.ts";
import { IS_UNSCOPED, runChild } from "./_support.ts";

/** A line of the service, as far as it is looked at here. */
interface Told {
  event: string;
  source: string;
  markets: unknown;
  feed: Record<string, number>;
  recording: unknown;
  collector: Record<string, number>;
}

/** Starts a collector with its own permissions only. */
function startCollector(args: string[]): ServiceProcess {
  return new ServiceProcess(spawnService(collector, [...args, "--json", "--tied"], "piped"));
}

/** A temporary directory, and the flags of a collector that has everything in it. */
function inDirectory(directory: string): string[] {
  return ["--directory", directory, "--instruments-file", `${directory}/instruments`];
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
}

Deno.test("mt collector goes on after kill -9, and ends at SIGTERM with its counts", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    await using exchange = await FakeExchange.start({ seed: 9, rateHz: 500 });
    const args = [
      ...inDirectory(directory),
      ...["--url", exchange.url, "--rest", exchange.restUrl, "--buffer-size", "1MB"],
    ];
    const watchdog = AbortSignal.timeout(300_000); // For five starts of a service.
    await using all = new AsyncDisposableStack();
    let service = all.use(startCollector(args));
    const { markets, source } = await service.event<Told>();
    assertEquals([source, markets], ["exchange", [{
      ...{ id: 1, symbol: "BTCUSDT", priceDecimals: 2, quantityDecimals: 5 },
      channel: "market.btcusdt",
    }]]);
    using channel = openChannel("market.btcusdt", { directory });
    const instrument = openInstruments(`${directory}/instruments`).find("BTCUSDT")!;
    const consumer = new BookConsumer(channel, instrument, exchange);
    const untilInStep = async (snapshots: number) => {
      const { counts } = consumer.book;
      const enough = consumer.compared + 5;
      while (counts.snapshotsApplied < snapshots || consumer.compared < enough) {
        watchdog.throwIfAborted();
        await turn();
        consumer.poll();
      }
    };
    for (let round = 1; round <= 3; round++) {
      await untilInStep(round);
      assertEquals((await service.end("SIGKILL")).signal, "SIGKILL");
      service = all.use(startCollector(args));
      await service.event();
    }
    await untilInStep(4);
    const ended = service.end("SIGTERM");
    const { event, feed, collector: counts } = await service.event<Told>();
    assertEquals([event, feed["lost"], feed["connections"]], ["stopped", 0, 1]);
    assertGreater(counts["trades"]!, 0);
    assertEquals((await ended).code, 0);
    const [counters] = readCounters({ directory });
    const valueOf = (wanted: string) => counters!.values.find(({ name }) => name === wanted);
    assertGreater(valueOf("collector_trades_total")!.value!, counts["trades"]! - 1);
    assertGreater(valueOf("collector_publish_seconds")!.histogram!.count, 0);
    assertGreater(valueOf("collector_resyncs_total")!.value!, 0);
    const { tradeIds } = consumer;
    assertEquals(tradeIds, [...new Set(tradeIds)].sort((a, b) => a - b), "none came twice");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("mt collector may reach the exchange and nobody else", () => {
  const args = ["--url", "ws://127.0.0.1:7001/x", "--rest", "http://127.0.0.1:7002"];
  const flags = collector.permissions(
    readSettings(collector, collector.settings, [...args, ...inDirectory("/tmp/d")]),
  );
  const net = flags.filter((flag) => flag.startsWith("--allow-net"));
  assertEquals(net, ["--allow-net=127.0.0.1:7001,127.0.0.1:7002"]);
  const recording = collector.permissions(
    readSettings(collector, collector.settings, ["--feed", "/tmp/f", ...inDirectory("/tmp/d")]),
  );
  assert(!recording.some((flag) => /net|run|env|sys/.test(flag)));
});

Deno.test("mt collector refuses wrong settings, and says what would be right", async () => {
  const directory = Deno.makeTempDirSync();
  const place = inDirectory(directory);
  const cases: [string[], string][] = [
    [[], "expected one of feed, live and url"],
    [["--live", "--feed", "x"], "from 2 sources"],
    [["--url", "ws://127.0.0.1:1"], "expected both"],
    [["--url", "nonsense", "--rest", "http://127.0.0.1:1"], "such as ws://"],
    [["--feed", "x", "--symbols", "BTC USDT"], 'such as "BTCUSDT" or "BTCUSDT:2:5"'],
    [["--feed", "x", "--symbols", "BTCUSDT:99:1"], "0 to 12 decimals"],
    [["--feed", "x", "--pace", "fast"], '"max", "real", or such as "10x"'],
    [["--feed", `${directory}/none`], "No such file"],
  ];
  try {
    for (const [args, expected] of cases) {
      const { code, stderr } = await runService([...place, ...args]);
      assertEquals([code === 1 || code === 2, code], [true, code], stderr);
      assert(new RegExp(expected).test(stderr), `${args}: ${stderr}`);
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

/** Runs it as a person would, with `mt`. */
function runService(args: string[]) {
  return runChild(["run", "--no-prompt", "--quiet", "-A", "scripts/cli.ts", "collector", ...args]);
}

/** What consumes the recording, and proves it. */
class RecordingConsumer {
  readonly oracle = new TickerOracle();
  readonly book = new OrderBook(1, { onApplied: (book) => this.oracle.addBook(book) });
  trades = 0;
  tickers = 0;
  tradedQuantity = 0;
  readonly #trade = Trade.accessor();
  readonly #ticker = BookTicker.accessor();

  take({ view, offset }: Message): void {
    const kind = messageKind(view, offset);
    if (kind === KIND_TRADE) {
      this.trades++;
      this.tradedQuantity += this.#trade.wrap(view, offset).quantity;
    } else if (kind === KIND_BOOK_TICKER) {
      this.tickers++;
      const ticker = this.#ticker.wrap(view, offset);
      const { updateId, bidPrice, bidQuantity, askPrice, askQuantity } = ticker;
      this.oracle.addTicker(updateId, bidPrice, bidQuantity, askPrice, askQuantity);
    } else this.book.apply(view, offset);
  }
}

Deno.test({
  name: "mt collector brings the recording through a channel with every figure of its README",
  ignore: !HAS_RECORDING,
  async fn() {
    const directory = Deno.makeTempDirSync();
    try {
      // Many times smaller than the recording, so that the collector has to wait for the consumer.
      using channel = createChannel("market.btcusdt", { directory, sizeBytes: 256 * 1024 });
      const consumer = openConsumer(channel, { view: IS_UNSCOPED });
      const proof = new RecordingConsumer();
      const args = ["--feed", RECORDING, "--buffer-size", "256KB", ...inDirectory(directory)];
      await using service = startCollector(args);
      assertEquals((await service.event<Told>()).source, "recording");
      let stopped: Told | undefined;
      const ended = service.event<Told>().then((event) => stopped = event);
      const handler = (message: Message) => proof.take(message);
      while (stopped === undefined || consumer.poll(handler) > 0) {
        await consumer.wait({ timeoutMs: 100 });
        consumer.poll(handler);
      }
      await assertFigures(proof, await ended);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});

async function assertFigures(
  { book, oracle, trades, tickers, tradedQuantity }: RecordingConsumer,
  { recording, collector: counts }: Told,
): Promise<void> {
  oracle.finish();
  assertEquals(recording, { messages: 41_249, malformed: 0, torn: 0 });
  assertEquals([trades, tradedQuantity, tickers], [9_757, 21_203_315_000, 28_040]);
  assertEquals([counts["depthUpdates"], counts["snapshots"]], [3_451, 1]);
  await assertRecordedBook(book, oracle);
}
