// The main job, run as a person runs it: with the permissions of its task, as processes of its own.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { mtHere } from "./_cli.ts";
import { DemoDirectory } from "./_demo.ts";
import { depthText, snapshotText } from "./_market.ts";
import { HAS_RECORDING, RECORDING } from "./_recording.ts";

/** What `../shared/data/README.md` says of it. */
const RECORDING_FIGURES = {
  messages: 41_249,
  trades: 9_757,
  tradedQuantity: "212.03315000",
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

// deno-lint-ignore no-explicit-any -- Whatever the demo has printed; that is what is tested.
type Printed = any;

interface Shown {
  code: number;
  report: Printed;
  stderr: string;
}

/** Runs the demo with `--json`. */
async function show(directory: DemoDirectory, args: string[]): Promise<Shown> {
  const { code, stdout, stderr } = await directory.demo(["--json", "--quiet", ...args]);
  const lines = stdout.trimEnd().split("\n");
  assert(lines.length === 1 && stdout !== "", `one line on stdout; on stderr: ${stderr}`);
  return { code, report: JSON.parse(lines[0]!), stderr };
}

/** Runs the demo on a feed of these lines. */
async function showLines(lines: string[], end = "\n"): Promise<Shown> {
  using directory = new DemoDirectory();
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

function tradeText(quantity: string, symbol = "BTCUSDT", t = 1): string {
  const trade = { e: "trade", E: 1, s: symbol, t, p: "10", q: quantity, T: 1, m: true };
  return JSON.stringify(trade);
}

const SNAPSHOT_100 = snapshotText(100, [["10", "1"], ["9", "2"]], [["11", "1"]]);

Deno.test("demo kills the engine in the middle, and shows that nothing was lost", async () => {
  using directory = new DemoDirectory();
  // Few in a second: an engine that is away for 20 s must not leave more than a gateway keeps.
  const { code, report, stderr } = await show(directory, ["--seconds", "4", "--rate", "100"]);
  assertEquals([code, report.problems], [0, []], stderr);
  const { lost, duplicated, stateHashEqual, orders, acks, executed, seconds, recovery } = report;
  assertEquals([lost, duplicated, stateHashEqual], [0, 0, true]);
  // At the rate, and a last one in each of 8 sessions. Fewer where it stood still at the end.
  assert(seconds >= 4 && 0 < orders && orders <= 1 + 100 * seconds + 8, `${orders}, ${seconds} s`);
  assertEquals([acks, executed], [orders, orders]);
  assert(report.fills > 0 && report.throughput > 0);
  assertEquals(recovery.killed, "matching-engine");
  assert(recovery.downMs >= recovery.recoveryMs && recovery.replayed > 0);
  for (const way of ["gatewayToEngine", "engineToMarketData", "endToEnd", "ack", "answer"]) {
    const { count, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = report.latency[way].whole;
    assert(0 < p50Ns && p50Ns <= p90Ns && p90Ns <= p99Ns && p99Ns <= p999Ns && p999Ns <= maxNs);
    assert(count > 0, way);
  }
});

Deno.test("demo reports to people, with the address of its page", async () => {
  using directory = new DemoDirectory();
  const args = ["--seconds", "1", "--rate", "100", "--seed", "7"];
  const { code, stdout, stderr } = await directory.demo(args);
  assertEquals(code, 0, stderr);
  for (const word of ["Orders", "Acks", "Recovery", "Lost", "Duplicated", "State", "Latency"]) {
    assertMatch(stdout, new RegExp(`^${word} `, "m"));
  }
  assertMatch(stderr, /^page: http:\/\/127\.0\.0\.1:\d+\/$/m);
  assertMatch(stderr, /^matching-engine ended by SIGKILL; the next one was ready \d+ ms later$/m);
});

Deno.test({
  name: "demo gives every figure of the recording's README",
  ignore: !HAS_RECORDING,
  async fn() {
    using directory = new DemoDirectory();
    const { code, report, stderr } = await show(directory, ["--feed", RECORDING]);
    assertEquals(pick(report, Object.keys(RECORDING_FIGURES)), RECORDING_FIGURES);
    assertEquals([code, report.problems, report.warnings], [0, [], []], stderr);
    assertEquals([report.symbol, report.marketDataEqual], ["BTCUSDT", true]);
  },
});

Deno.test("demo is loud where a book is not the exchange's", async () => {
  const { code, report, stderr } = await showLines([
    line(SNAPSHOT_100),
    line(depthText(101, 103, [["10", "3"]], [])),
    line(tickerText(103, "10", "11")),
    line(tradeText("90071992.54740991")),
    line(tradeText("90071992.54740991", "BTCUSDT", 2)),
    line(tradeText("1", "BTCUSDT", 2)), // The same one again.
  ]);
  assertEquals(pick(report, ["messages", "trades", "depthApplied", "gaps", "finalUpdateId"]), {
    messages: 5,
    trades: 2,
    depthApplied: 1,
    gaps: 0,
    finalUpdateId: 103,
  });
  assertEquals(report.tradedQuantity, "180143985.09481982", "exact beyond 2^53");
  assertEquals([report.tickerChecked, report.tickerWrong], [1, 1], "its bid was 1, not 3");
  assertEquals(report.problems, ["the book was not the exchange's 1 times"]);
  assertStringIncludes(stderr, "error: the book was not the exchange's");
  assertEquals(code, 1);
});

Deno.test("demo leaves out what it cannot use, and says where a feed is cut off", async () => {
  const { code, report } = await showLines([
    "garbage",
    line("garbage"),
    line(tradeText("1", "ETHUSDT")),
    line(SNAPSHOT_100),
    line(depthText(101, 101, [["10", "3"]], [])),
    line(depthText(103, 104, [["10", "4"]], [])),
    line(tradeText("1")).slice(0, -9),
  ], "");
  const { malformedLines, malformed, unknownInstrument, tornLines } = report.unused;
  assertEquals([malformedLines, malformed, unknownInstrument, tornLines], [1, 1, 1, 1]);
  assertEquals([report.depthApplied, report.gaps, report.isInStep], [1, 1, false]);
  assertEquals(report.problems, ["the feed is cut off, and was used up to there"]);
  assertStringIncludes(report.warnings.join("\n"), "gaps: 1; it stays empty");
  assertEquals(code, 1);
});

Deno.test("demo fails for a feed without a message of the symbol", async () => {
  const { code, report } = await showLines([line(tradeText("1", "ETHUSDT"))]);
  assertEquals([code, report.problems], [1, ["the feed has no message of BTCUSDT"]]);
});

Deno.test("demo refuses wrong arguments with status 2, and says what is right", async () => {
  const cases: [args: string[], said: string][] = [
    [["--fast"], "Unknown option '--fast'"],
    [["feed.ndjson"], "Unexpected argument 'feed.ndjson'"],
    [["--seconds", "-1"], "ambiguous"],
    [["--seconds", "1.5"], "expected a whole number from 0 to"],
    [["--rate", "0"], "expected 1 or more"],
    [["--seed", "4294967296"], "expected a whole number from 0 to 4294967295"],
    [["--feed", "x", "--seed", "1"], "they are for made-up orders"],
    [["--feed", "x", "--live"], "they are for recordings"],
    [["--feed", "x", "--pace", "0y"], 'expected "max", "real", or a multiple such as "10x"'],
    [["--live", "--symbol", "b t c"], "expected one such as BTCUSDT"],
    [["--pace", "max"], "they are for feeds"],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await mtHere("demo", ...args);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertMatch(stderr, /^error: .*\n?.* \(see "mt( demo)? --help"\)\n$/s);
    assertStringIncludes(stderr, said);
  }
  using directory = new DemoDirectory();
  const { code, stderr } = await directory.demo(["--fast"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'see "deno task demo --help"');
});

Deno.test("demo says what is wrong with a feed that is not there", async () => {
  using directory = new DemoDirectory();
  const cases: [args: string[], said: string][] = [
    [["--feed", "/no/such.ndjson"], 'Cannot read "/no/such.ndjson" as a feed: found no such file'],
    [["--feed", directory.path], "found a directory"],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await directory.demo(args);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, said);
  }
});

Deno.test("demo explains itself", async () => {
  using directory = new DemoDirectory();
  const { code, stdout } = await directory.demo(["--help"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Usage: deno task demo");
});
