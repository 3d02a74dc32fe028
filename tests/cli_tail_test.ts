// `mt tail`: what is printed of a channel's messages, and that nobody notices.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Trade } from "../lib/market/mod.ts";
import { defineSchema, openProducer } from "../mod.ts";
import { mtHere } from "./_cli.ts";
import { TestLog } from "./_log.ts";
import { encode, range, ROOT, Scratch } from "./_support.ts";
import { taskArguments } from "./_task.ts";

const Quote = defineSchema("quote", { price: "f64", side: "u8", symbol: "char[8]" });

/**
 * Milliseconds that are long for the tool between its look at the wall clock and the one at the
 * messages, by which it tells when they were published.
 */
const APART_MS = 500;

interface Told {
  code: number;
  /** Lines of the standard output; parsed if they are JSON. */
  // deno-lint-ignore no-explicit-any -- what the tool prints, as its readers see it
  lines: any[];
  stderr: string;
}

async function tail(...args: string[]): Promise<Told> {
  const { code, stdout, stderr } = await mtHere("tail", ...args);
  const lines = stdout.split("\n").slice(0, -1);
  return {
    code,
    lines: args.includes("--json") ? lines.map((line) => JSON.parse(line)) : lines,
    stderr,
  };
}

function quotes(scratch: Scratch, count: number) {
  const channel = scratch.create({ sizeBytes: 65536, schema: Quote }, "quotes");
  const producer = openProducer(channel);
  const bytes = new Uint8Array(Quote.sizeBytes);
  const quote = Quote.accessor().wrap(new DataView(bytes.buffer), 0);
  for (let i = 1; i <= count; i++) {
    quote.price = i / 2;
    quote.side = i % 2;
    quote.symbol = i % 3 === 0 ? "ETH" : "BTC\x1b[m";
    producer.offer(bytes);
  }
  return { channel, producer };
}

Deno.test("mt tail prints the newest messages by their schema, and selects", async () => {
  using scratch = new Scratch();
  quotes(scratch, 100);
  const tailQuotes = (...args: string[]) =>
    tail("quotes", "--directory", scratch.directory, ...args);
  const sequences = async (...args: string[]) => {
    const { code, lines } = await tailQuotes("--json", ...args);
    assertEquals(code, 0);
    return lines.map(({ sequence }) => sequence);
  };
  const plain = await tailQuotes();
  const json = await tailQuotes("--json", "-n", "1");
  assertEquals([plain.code, plain.stderr, plain.lines.length], [0, "", 10]);
  assertEquals(plain.lines[8], "99  quote price=49.5 side=1 symbol=ETH");
  assertEquals(plain.lines[9], '100  quote price=50 side=0 symbol="BTC\\u001b[m"');
  const fields = { price: 50, side: 0, symbol: "BTC\x1b[m" };
  assertEquals(json.lines, [{ sequence: 100, layout: "quote", fields }]);
  assertEquals(
    [
      await sequences("--where", "price>48", "--where", "side=1"),
      await sequences("--where", "symbol~ET", "-n", "2"),
      await sequences("--where", "layout!=quote"),
      await sequences("--from", "20", "--to", "22"),
      await sequences("--from", "20", "--limit", "2"),
      await sequences("--to", "3", "-n", "2"),
      await sequences("--from", "101"),
    ],
    [[97, 99], [96, 99], [], [20, 21, 22], [20, 21], [2, 3], []],
  );
  const unmet = await tailQuotes("--where", "side=buy");
  assertEquals([unmet.code, unmet.lines], [0, []]);
  assertEquals(unmet.stderr, "Found no such message among 100\n");
  const wrong: [args: string[], said: string][] = [
    [["--where", "prize=1"], 'found no field "prize", but layout, price, side, symbol'],
    [["--where", "price"], "expected a field, one of = != ~ > < >= <=, and a value"],
    [["--where", "price>x"], 'expected a number behind ">"'],
    [["--layout", "trades"], "expected one of trade, bookTicker"],
    [["--lines", "all"], "expected a number of messages"],
    [["--from", "noon"], "expected a sequence, or a time"],
    [["--log", "-f"], "Cannot follow a log alone"],
  ];
  for (const [args, said] of wrong) {
    const { code, lines, stderr } = await tailQuotes(...args);
    assertEquals([code, lines], [2, []], args.join(" "));
    assertStringIncludes(stderr, said);
    assertMatch(stderr, /\(see "mt tail --help"\)\n$/);
  }
  const none = await tail("none", "--directory", scratch.directory);
  assertEquals([none.code, none.lines], [1, []]);
  assertMatch(none.stderr, /^error: Cannot open ".*none\.ring": found no such file.*\n$/);
});

Deno.test("mt tail reads messages of any layout, by name, and by time of publishing", async () => {
  using scratch = new Scratch();
  const channel = scratch.create({ sizeBytes: 65536, timestamps: true }, "market.btcusdt");
  const producer = openProducer(channel);
  const bytes = new Uint8Array(Trade.sizeBytes);
  Trade.accessor().wrap(new DataView(bytes.buffer), 0).kind = 1;
  producer.offer(bytes);
  producer.offer(encode("no layout of ours"));
  await new Promise((resolve) => setTimeout(resolve, APART_MS));
  const middle = new Date().toISOString();
  await new Promise((resolve) => setTimeout(resolve, APART_MS));
  producer.offer(encode("late"));
  const args = ["market.btcusdt", "--directory", scratch.directory];
  const text = await tail(...args);
  const json = await tail(...args, "--json");
  const late = await tail(...args, "--json", "--from", middle);
  const early = await tail(...args, "--json", "--to", middle);
  assertMatch(text.lines[0], /^1 +20\S+Z +trade kind=1 /);
  assertMatch(text.lines[2], /^3 +20\S+Z +4 bytes +6c617465 +\|late\|$/);
  assertEquals(json.lines[1].bytes, encode("no layout of ours").toBase64());
  assertEquals(late.lines.map(({ sequence }) => sequence), [3]);
  assertEquals(early.lines.map(({ sequence }) => sequence), [1, 2]);
});

Deno.test("mt tail -f goes on with what comes, and holds nobody back", async () => {
  using scratch = new Scratch();
  const { channel, producer } = quotes(scratch, 3);
  const args = ["tail", "quotes", "-f", "-n", "1", "--json", "--directory", scratch.directory];
  const command = new Deno.Command(Deno.execPath(), {
    args: [...taskArguments("mt"), ...args],
    cwd: ROOT,
    stdout: "piped",
  });
  const child = command.spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertStringIncludes((await lines.read()).value!, '{"sequence":3,');
  // More than the ring holds, at once: what was not read in time is a gap.
  for (let i = 0; i < 10_000; i++) producer.offer(new Uint8Array(Quote.sizeBytes));
  let text = "";
  while (!/"sequence":10003,.*\n$/.test(text)) text += (await lines.read()).value;
  let next = 4;
  for (const line of text.trimEnd().split("\n")) {
    const { sequence, gap } = JSON.parse(line);
    assertEquals(gap?.from ?? sequence, next);
    next = (gap?.to ?? sequence) + 1;
  }
  assertEquals([next, channel.stats().consumers], [10_004, []]);
  child.kill("SIGTERM");
  while (!(await lines.read()).done);
  assertEquals((await child.status).code, 0);

  // Whoever reads may go: that is the end, and no error.
  const piped = command.spawn();
  const reader = piped.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const timer = setInterval(() => producer.offer(new Uint8Array(Quote.sizeBytes)), 10);
  const { code } = await piped.status;
  clearInterval(timer);
  assertEquals(code, 0);
});

Deno.test("mt tail names damage and passes it, in the ring and in a log alone", async () => {
  using scratch = new Scratch();
  const channel = scratch.create({ sizeBytes: 65536 });
  const producer = openProducer(channel);
  for (const i of range(1, 500)) producer.offer(encode(`message ${i} of the ring`));
  const bytes = Deno.readFileSync(channel.bufferFile);
  const marker = encode("message 42 ");
  const at = bytes.findIndex((_, i) => marker.every((byte, k) => bytes[i + k] === byte));
  using file = Deno.openSync(channel.bufferFile, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(encode("M"));
  using log = new TestLog(5000);
  const before = log.files();
  log.flip(log.segments()[0]!, 4160 + 20); // In the payload of record 1.
  const ring = await tail("test", "--directory", scratch.directory, "--from", "40", "--json");
  const wal = ["--wal-dir", `${log.root}/wal`];
  const alone = await tail("test", ...wal, "--from", "1", "--limit", "3", "--json");
  const newest = await tail("test", "--log", "--directory", log.root, "-n", "2");
  assertEquals([ring.code, ring.lines[0].sequence, ring.lines[1].sequence], [1, 40, 41]);
  assertStringIncludes(ring.lines[2].damage, 'Cannot read record 42 of "');
  const { gap } = ring.lines[3];
  assertEquals([gap.from, ring.lines[4].sequence], [43, gap.to + 1]);
  assertEquals(ring.lines.at(-1).sequence, 500);
  assertEquals(alone.code, 1);
  assertMatch(alone.lines[0].damage, /^Found damage \(record\) in "0/);
  assertEquals(alone.lines.slice(1).map(({ sequence }) => sequence), [2, 3, 4]);
  assertEquals([newest.code, newest.lines.length], [0, 2]);
  assertMatch(newest.lines[1], /^5000 +\d+ bytes /);
  assertEquals(log.files(), before);
});
