// The main job, run as a person runs it: with the permissions of its task, as processes of its own.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { generateFeed, OrderBook, parseRecordingLine, TickerOracle } from "../lib/market/mod.ts";
import { top20Sha256 } from "../lib/market/mod.ts";
import { depthText, INSTRUMENT, Pipeline, snapshotText } from "./_market.ts";
import { runTask, TaskDirectory } from "./_task.ts";

const RECORDING = new URL(
  "../../shared/data/binance-spot-btcusdt-20240808.ndjson.gz",
  import.meta.url,
);
const hasRecording = isThere(RECORDING);
if (!hasRecording) {
  console.warn(`demo_test: no ${RECORDING.pathname}, so the tests on recorded data are skipped`);
}

/** What `../shared/data/README.md` says of it. */
const RECORDING_FIGURES = {
  messages: 41_249,
  trades: 9_757,
  tradedQuantityE8: 21_203_315_000,
  depthApplied: 3_449,
  depthDropped: 2,
  gaps: 0,
  finalUpdateId: 50_093_421_584,
  bidLevels: 1_209,
  askLevels: 2_196,
  bestBid: ["61685.99000000", "1.00870000"],
  bestAsk: ["61686.00000000", "2.29327000"],
  tickerChecked: 3_449,
  tickerWrong: 0,
  top20Sha256: "7f64fc84716bb0fcf969cf90a4fd3a204bbf917939f1dc44cf3fa4e95e1d845a",
};

const FIGURES = Object.keys(RECORDING_FIGURES);
const CONSUMERS = ["order-book", "trade-statistics"];

// deno-lint-ignore no-explicit-any -- Whatever the demo has printed; that is what is tested.
type Printed = any;

interface Shown {
  code: number;
  report: Printed;
  stderr: string;
}

/** Runs the demo with `--json`; what does not matter here is left out for speed. */
async function show(directory: TaskDirectory, args: string[]): Promise<Shown> {
  const { env } = directory;
  const { code, stdout, stderr } = await runTask(
    "demo",
    ["--json", "--quiet", "--idle", "0", ...args],
    { env },
  );
  const lines = stdout.trimEnd().split("\n");
  assert(lines.length === 1 && stdout !== "", `one line on stdout; on stderr: ${stderr}`);
  assertEquals(directory.files(), [], "no ring file is left");
  return { code, report: JSON.parse(lines[0]!), stderr };
}

/** Runs the demo on a feed of these lines. */
async function showLines(lines: string[], end = "\n"): Promise<Shown> {
  using directory = new TaskDirectory();
  const path = directory.write("feed, with a comma.ndjson", lines.join("\n") + end);
  return await show(directory, ["--feed", path]);
}

function pick(report: Printed, names: readonly string[]): Printed {
  return Object.fromEntries(names.map((name) => [name, report[name]]));
}

/** A line of a recording; `second` is when it was received. */
function line(json: string, second = 0): string {
  return `${1_723_161_253 + second}000000000 ${json}`;
}

function tickerText(updateId: number, bid: string, ask: string): string {
  return JSON.stringify({ u: updateId, s: "BTCUSDT", b: bid, B: "1", a: ask, A: "1" });
}

function tradeText(quantity: string, symbol = "BTCUSDT"): string {
  const trade = { e: "trade", E: 1, s: symbol, t: 1, p: "10", q: quantity, T: 1, m: true };
  return JSON.stringify(trade);
}

const SNAPSHOT_100 = snapshotText(100, [["10", "1"], ["9", "2"]], [["11", "1"]]);

function assertComplete(report: Printed): void {
  for (const name of CONSUMERS) {
    const { published, received, lost, outOfOrder, damaged, isComplete } = report.delivery[name];
    assertEquals([received + lost, outOfOrder, damaged], [published, 0, 0], name);
    assertEquals(isComplete, true);
  }
  assertEquals(report.delivery["order-book"].lost, 0);
  assertEquals(report.problems, []);
}

Deno.test({
  name: "demo gives every figure of the recording's README",
  ignore: !hasRecording,
  async fn() {
    using directory = new TaskDirectory();
    const { code, report } = await show(directory, ["--feed", RECORDING.pathname]);
    assertEquals(pick(report, FIGURES), RECORDING_FIGURES);
    assertComplete(report);
    assertEquals([code, report.instrument, report.warnings], [0, "BTCUSDT", []]);
  },
});

Deno.test({
  name: "demo gives the same figures for a recording that is not compressed",
  ignore: !hasRecording,
  async fn() {
    using directory = new TaskDirectory();
    const compressed = (await Deno.open(RECORDING)).readable;
    const plain = compressed.pipeThrough(new DecompressionStream("gzip"));
    const path = directory.write("plain.ndjson", await new Response(plain).bytes());
    const { code, report } = await show(directory, ["--feed", path]);
    assertEquals(pick(report, FIGURES), RECORDING_FIGURES);
    assertEquals(code, 0);
  },
});

Deno.test("demo makes up the same feed from the same seed, and sees what is in it", async () => {
  const seed = 20_240_808;
  const messages = 4_000;
  const oracle = new TickerOracle();
  const book = new OrderBook(INSTRUMENT, { onApplied: (book) => oracle.addBook(book) });
  const pipeline = new Pipeline(book, oracle);
  for (const line of generateFeed({ seed, messages })) {
    const { json, receiveUs } = parseRecordingLine(line)!;
    pipeline.normaliser.normalise(json, receiveUs);
  }
  oracle.finish();
  using directory = new TaskDirectory();
  const args = ["--messages", `${messages}`, "--seed", `${seed}`];
  const first = await show(directory, args);
  assertEquals(first.code, 0);
  assertComplete(first.report);
  const { trades, tradedQuantityE8, depthApplied, finalUpdateId, tickerChecked } = first.report;
  assertEquals(
    [trades, tradedQuantityE8, depthApplied, finalUpdateId, tickerChecked],
    [
      ...[pipeline.normaliser.counts.trades, pipeline.tradedQuantity],
      ...[book.counts.depthApplied, book.finalUpdateId, oracle.counts.tickerChecked],
    ],
  );
  assertEquals(first.report.top20Sha256, await top20Sha256(book));
  const second = await show(directory, args);
  assertEquals(pick(second.report, FIGURES), pick(first.report, FIGURES));
  const other = await show(directory, ["--messages", `${messages}`, "--seed", "2"]);
  assertEquals(other.report.messages, messages);
  assertNotEquals(other.report.top20Sha256, first.report.top20Sha256);
});

Deno.test("demo loses nothing through a ring that is always full", async () => {
  using directory = new TaskDirectory();
  const { code, report } = await show(directory, ["--messages", "3000", "--size", "4KB"]);
  assertEquals(code, 0);
  assertComplete(report);
  assert(report.backPressured > 0, "the ring was full at times");
  assertEquals(report.delivery["order-book"].received, report.records);
  assertEquals([report.tickerChecked, report.tickerWrong], [report.depthApplied, 0]);
});

Deno.test("demo measures latencies, and how little waiting consumers use", async () => {
  using directory = new TaskDirectory();
  const { report } = await show(directory, ["--messages", "500", "--idle", "0.5"]);
  for (const name of CONSUMERS) {
    const { count, p50Ns, p90Ns, p99Ns, p999Ns } = report.latency[name];
    assertEquals(count, report.delivery[name].received);
    assert(0 < p50Ns && p50Ns <= p90Ns && p90Ns <= p99Ns && p99Ns <= p999Ns, name);
    assert(report.idleCpuShare[name] < 0.2, `${name} used ${report.idleCpuShare[name]} of a core`);
  }
});

Deno.test("demo goes no faster than the recorded times, where it is asked to", async () => {
  using directory = new TaskDirectory();
  const lines = [line(SNAPSHOT_100, 0), line(tradeText("1"), 0), line(tradeText("2"), 4)];
  const path = directory.write("feed.ndjson", lines.join("\n"));
  const { report } = await show(directory, ["--feed", path, "--pace", "8x"]);
  assert(report.seconds >= 0.5, `4 s at eight times the speed took ${report.seconds} s`);
  assertEquals(report.messages, 3);
});

Deno.test("demo takes raw messages, and a snapshot that comes before everything else", async () => {
  const { code, report } = await showLines([
    line(SNAPSHOT_100),
    line(depthText(101, 103, [["10", "3"]], [])),
    line(tickerText(103, "10", "11")),
    line(tradeText("90071992.54740991")),
    line(tradeText("90071992.54740991")),
  ]);
  assertEquals(pick(report, ["messages", "trades", "depthApplied", "gaps", "finalUpdateId"]), {
    messages: 5,
    trades: 2,
    depthApplied: 1,
    gaps: 0,
    finalUpdateId: 103,
  });
  const best = [["10.00000000", "3.00000000"], ["11.00000000", "1.00000000"]];
  assertEquals([report.bestBid, report.bestAsk], best);
  assertEquals([report.tickerChecked, report.tickerWrong], [1, 1], "its bid was 1, not 3");
  assertEquals(report.problems, ["the book of BTCUSDT was not the exchange's 1 times"]);
  assertEquals(code, 1, "a wrong book is loud");
});

Deno.test("demo prints sums beyond 2^53 exactly", async () => {
  using directory = new TaskDirectory();
  const lines = [1, 2, 3].map(() => line(tradeText("90071992.54740991")));
  const path = directory.write("feed.ndjson", lines.join("\n"));
  const { stdout } = await runTask("demo", ["--feed", path, "--json", "--quiet", "--idle", "0"], {
    env: directory.env,
  });
  assertStringIncludes(stdout, `"tradedQuantityE8":${3n * 9_007_199_254_740_991n},`);
});

Deno.test("demo counts a gap, stays empty, and comes back with the next snapshot", async () => {
  const broken = [
    line(SNAPSHOT_100),
    line(depthText(101, 101, [["10", "3"]], [])),
    line(depthText(103, 104, [["10", "4"]], [])),
  ];
  const { code, report, stderr } = await showLines(broken);
  const names = ["depthApplied", "gaps", "finalUpdateId", "bidLevels", "bestBid", "isInStep"];
  assertEquals(pick(report, names), {
    depthApplied: 1,
    gaps: 1,
    finalUpdateId: 0,
    bidLevels: 0,
    bestBid: null,
    isInStep: false,
  });
  assertEquals(code, 0, "the recording's gap is no failure of the demo");
  assertStringIncludes(stderr, "warning: the feed lacks updates of the book, gaps: 1");
  const mended = await showLines([
    ...broken,
    line(snapshotText(103, [["8", "1"]], [])),
    line(depthText(105, 106, [["7", "1"]], [])),
  ]);
  assertEquals(pick(mended.report, names), {
    depthApplied: 3,
    gaps: 1,
    finalUpdateId: 106,
    bidLevels: 3,
    bestBid: ["10.00000000", "4.00000000"],
    isInStep: true,
  });
});

Deno.test("demo leaves a book empty to which no snapshot belongs", async () => {
  const { code, report, stderr } = await showLines([line(depthText(1, 2, [["10", "3"]], []))]);
  assertEquals([report.bidLevels, report.isInStep, report.depthApplied], [0, false, 0]);
  assertStringIncludes(stderr, "warning: the feed has no snapshot");
  assertEquals(code, 0);
});

Deno.test("demo keeps a book for each instrument and shows that of the busiest", async () => {
  const ofEther = (text: string) => text.replace("BTCUSDT", "ETHUSDT");
  const { report } = await showLines([
    line(depthText(99, 100, [], [])),
    line(ofEther(depthText(7_000, 7_001, [], []))),
    line(snapshotText(7_001, [["5", "1"]], [["6", "1"]])),
    line(SNAPSHOT_100),
    line(ofEther(depthText(7_002, 7_002, [["5", "7"]], []))),
    line(tradeText("2", "ETHUSDT")),
    line(tradeText("1")),
  ]);
  assertEquals(report.instrument, "ETHUSDT");
  assertEquals(report.otherInstruments, [{ symbol: "BTCUSDT", messages: 3 }]);
  assertEquals(pick(report, ["messages", "trades", "tradedQuantityE8", "bestBid", "bestAsk"]), {
    messages: 7,
    trades: 1,
    tradedQuantityE8: 200_000_000,
    bestBid: ["5.00000000", "7.00000000"],
    bestAsk: ["6.00000000", "1.00000000"],
  });
  assertEquals(report.problems, []);
});

Deno.test("demo leaves out what it cannot use, and counts it by cause", async () => {
  const { code, report, stderr } = await showLines([
    "garbage",
    line("garbage"),
    line("{}"),
    line(tradeText("1e3")),
    line(tradeText("1").replace('"q"', '"x"')),
    "",
    line(tradeText("1")),
  ]);
  assertEquals(report.unused, {
    malformedLines: 2,
    tornLines: 0,
    malformed: 1,
    unknown: 1,
    incomplete: 1,
    inexact: 1,
    unknownInstrument: 0,
  });
  assertEquals([report.messages, report.trades, code], [5, 1, 0]);
  assertStringIncludes(stderr, "warning: left out of the feed: 2 lines without a receive time");
});

Deno.test("demo uses a recording up to where it is cut off, and says so", async () => {
  const lines = [line(SNAPSHOT_100), line(depthText(101, 101, [["10", "3"]], []))];
  const { code, report, stderr } = await showLines(
    [...lines, line(tradeText("1")).slice(0, -9)],
    "",
  );
  assertEquals([report.messages, report.depthApplied, report.trades], [2, 1, 0]);
  assertEquals([report.unused.tornLines, code], [1, 1]);
  assertStringIncludes(stderr, "error: the feed is cut off");
});

Deno.test("demo fails for a feed without a message", async () => {
  for (const lines of [[], ["garbage"]]) {
    const { code, report, stderr } = await showLines(lines);
    assertEquals([code, report.messages, report.instrument], [1, 0, null]);
    assertStringIncludes(stderr, "error: the feed has no message");
  }
});

Deno.test("demo refuses wrong arguments with status 2, and says what is right", async () => {
  const cases: [args: string[], said: string][] = [
    [["--fast"], "Unknown option '--fast'"],
    [["feed.ndjson"], "Unexpected argument 'feed.ndjson'"],
    [["--pace", "0x"], 'expected "max", "real", or a multiple such as "10x"'],
    [["--messages", "-1"], "ambiguous"],
    [["--messages", "1.5"], "expected a whole number"],
    [["--seed", "4294967296"], "expected a whole number from 0 to 4294967295"],
    [["--idle", "nine"], "expected seconds from 0 to 60"],
    [["--size", "5KB"], "power of two"],
    [["--size", "big"], "expected bytes, or text such as"],
    [["--feed", "x", "--seed", "1"], "they are for made-up feeds"],
  ];
  using directory = new TaskDirectory();
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await runTask("demo", args, { env: directory.env });
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertMatch(stderr, /^error: .*\n?.* \(see "deno task demo --help"\)\n$/s);
    assertStringIncludes(stderr, said);
  }
  assertEquals(directory.files(), []);
});

Deno.test("demo says what is wrong with a feed or directory that is not there", async () => {
  using directory = new TaskDirectory();
  const cases: [args: string[], said: string][] = [
    [["--feed", "/no/such.ndjson"], 'Cannot read "/no/such.ndjson" as a feed: found no such file'],
    [["--feed", directory.path], "found a directory"],
    [["--directory", "/no/such"], 'Cannot use "/no/such" as the directory of a channel'],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await runTask("demo", args, { env: directory.env });
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, said);
  }
});

Deno.test("demo explains itself", async () => {
  const { code, stdout } = await runTask("demo", ["--help"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Usage: deno task demo");
});

Deno.test("demo reports to people, in a directory that it is told of", async () => {
  using directory = new TaskDirectory();
  const args = ["--messages", "500", "--idle", "0", "--directory", directory.path];
  const { code, stdout } = await runTask("demo", args);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Messages    500 in ");
  assertStringIncludes(stdout, "arrived once at every consumer; every checksum was right");
  assertMatch(stdout, /^Consumer +When slow +Received +Lost +p50 +p90 +p99 +p99.9 +Idle CPU$/m);
  assertMatch(stdout, /^order-book +blocks +[\d,]+ +0 /m);
  assertEquals([...Deno.readDirSync(directory.path)], []);
});

function isThere(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
