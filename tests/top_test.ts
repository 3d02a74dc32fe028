// `mt top` in a real terminal, and its frames.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createChannel, openConsumer, openProducer } from "../mod.ts";
import { RecentLatency, Watch } from "../lib/observability/mod.ts";
import { barOf, columnsOf, fit, toCells, wrap } from "../scripts/cli/_screen_text.ts";
import { keysIn } from "../scripts/cli/_terminal.ts";
import { newTopState, pressKey, topFrame } from "../scripts/cli/_top_view.ts";
import { ROOT, Scratch } from "./_support.ts";
import { runTask, taskArguments, TaskDirectory } from "./_task.ts";
import { Tmux, TMUX_OBSTACLE } from "./_tmux.ts";

const PAYLOAD = new Uint8Array(100);

/** Adds a test that needs a terminal. */
function testTerminal(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${TMUX_OBSTACLE}`, ignore: TMUX_OBSTACLE !== "", fn });
}

/** The command in a terminal, and what tells how it has ended and left the terminal. */
async function startTop(
  directory: string,
  flags: string,
  variables = "-u NO_COLOR",
): Promise<Tmux> {
  const mt = [Deno.execPath(), ...taskArguments("mt")].join(" ");
  const top = `echo $$ >${directory}/pid; exec ${mt} top --directory ${directory} ${flags}`;
  const command = `env ${variables} sh -c '${top}'; echo "status=$?"; stty -a; cat`;
  return await Tmux.start({ command, directory: ROOT, columns: 100, rows: 30 });
}

/** Waits for the end, which has to leave a cursor, the first screen, and a terminal that echoes. */
async function assertGivenBack(tmux: Tmux, status: number): Promise<void> {
  const screen = await tmux.shows(/status=\d+[^]*-extproc/);
  assertStringIncludes(screen, `status=${status}`);
  assertMatch(screen, /[^-]icanon[^]*[^-]echo /);
  assertEquals(await tmux.ask("#{cursor_flag} #{alternate_on} #{wrap_flag}"), "1 0 1");
}

testTerminal("mt top shows channels and peers, takes keys and sizes, gives back", async () => {
  using directory = new TaskDirectory();
  // Room for minutes of messages that nobody reads, as there is a rate only while there is room.
  const place = { directory: directory.path, sizeBytes: "16MB" };
  using orders = createChannel("orders", place);
  using trades = createChannel("trades", place);
  openConsumer(orders, { name: "slow" });
  openConsumer(trades, { name: "\x1b[31mred" });
  const producer = openProducer(orders, { name: "gateway" });
  const feed = setInterval(() => producer.offer(PAYLOAD), 5);
  try {
    await using tmux = await startTop(directory.path, "--interval 100");
    const first = await tmux.shows(/▸ orders +[1-9]\d* .*slow/, { isColoured: false });
    assertMatch(first, /^mt top .*2 channels/);
    await tmux.shows(/orders\/slow: process \d+ has not moved for \d+ s/);
    await tmux.shows(/\[33m +stalled: slow/, { isColoured: true });
    await tmux.press("Down");
    await tmux.shows(/▸ trades/);
    await tmux.press("k", "Enter");
    await tmux.shows(/^slow +consumer +stalled \d+ s .*\n(.*\n)*gateway +producer +alive/m);
    await tmux.press("j");
    await tmux.shows(/^\\u001b\[31mred +consumer +alive/m);
    await tmux.press("Escape", "s");
    await tmux.shows(/sort \(full\)/);
    await tmux.resize(50, 12);
    await tmux.shows(/^mt top .{42}…\n\n +Channel +Messages\/s .*\n[^]*▸ trades/);
    await tmux.shows(/orders\/slow: process[^]*has\s+not\s+moved[^]*;\s+look\s+what/);
    await tmux.press("?");
    await tmux.shows(/Ctrl-C +quit/);
    await tmux.resize(100, 30);
    await tmux.press("x", "q");
    await assertGivenBack(tmux, 0);
  } finally {
    clearInterval(feed);
  }
});

testTerminal(
  "mt top gives back at SIGTERM and Ctrl-C, and shows no colours to NO_COLOR",
  async () => {
    using directory = new TaskDirectory();
    using channel = createChannel("orders", { directory: directory.path, sizeBytes: "64KB" });
    openConsumer(channel, { name: "slow" });
    openProducer(channel).write(PAYLOAD);
    {
      await using tmux = await startTop(directory.path, "--interval 100", "NO_COLOR=1");
      const screen = await tmux.shows(/stalled: slow/, { isColoured: true });
      assert(!screen.includes("\x1b["), screen);
      await tmux.press("C-c");
      await assertGivenBack(tmux, 0);
    }
    await using tmux = await startTop(directory.path, "--interval 100");
    await tmux.shows(/▸ orders/);
    await tmux.runBeside(`kill -TERM $(cat ${directory.path}/pid)`);
    await assertGivenBack(tmux, 0);
  },
);

Deno.test("mt top says without a terminal what works there, and does that", async () => {
  using directory = new TaskDirectory();
  using channel = createChannel("orders", { directory: directory.path, sizeBytes: "64KB" });
  openConsumer(channel, { name: "slow" });
  openProducer(channel).write(PAYLOAD);
  const place = ["--directory", directory.path, "--interval", "100"];
  const refused = await runTask("mt", ["top", ...place]);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "expected a terminal, found none; use --once");
  const { code, stdout } = await runTask("mt", ["top", ...place, "--once"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^▸ orders +0 .* 1 +slow/m);
  const { channels: [orders] } = JSON.parse(
    (await runTask("mt", ["top", ...place, "--once", "--json"])).stdout,
  );
  assertEquals([orders.name, orders.gatedBy.name], ["orders", "slow"]);
});

Deno.test("mt top: every frame fits its screen, and shows the chosen one of many channels", () => {
  using scratch = new Scratch();
  for (let index = 10; index < 40; index++) {
    const channel = scratch.create({}, `channel-${index}`);
    for (let at = 0; at < 4; at++) openConsumer(channel, { name: `${at}\u65e5\u672c\x9b${at}` });
    openProducer(channel).write(PAYLOAD);
  }
  Deno.writeTextFileSync(`${scratch.directory}/spoilt.ring`, "nothing");
  const look = new Watch(scratch).look();
  const state = newTopState();
  const latency = new RecentLatency();
  const style = { isColoured: false, place: "/here", intervalMs: 1000, latency };
  for (const key of ["", "s", "end", "enter", "up", "escape", "s", "home", "enter", "?"]) {
    pressKey(state, key, look);
    for (const [columns, rows] of [[1, 1], [3, 2], [20, 5], [80, 24], [100, 30], [300, 90]]) {
      const frame = topFrame(look, state, { ...style, columns: columns!, rows: rows! });
      assert(frame.length <= rows!, `${frame.length} of ${rows} rows`);
      for (const line of frame) {
        assert(columnsOf(line) <= columns!, `${columns} columns: ${line}`);
        assertEquals(toCells(line), line);
      }
      if (rows! >= 24 && state.view === "channels") {
        assert(frame.some((line) => line.includes("▸")), frame.join("\n"));
      }
    }
  }
  pressKey(state, "x", look);
  assertEquals(pressKey(state, "q", look), false);
});

Deno.test("mt top: what needs a look has the room that is left", () => {
  using scratch = new Scratch();
  for (let index = 0; index < 9; index++) {
    Deno.writeTextFileSync(`${scratch.directory}/spoilt-${index}.counters`, "nothing");
  }
  scratch.create();
  const look = new Watch(scratch).look();
  const place = { place: "/here", intervalMs: 1000, latency: new RecentLatency() };
  const shownIn = (rows: number) =>
    topFrame(look, newTopState(), { ...place, isColoured: false, columns: 300, rows })
      .filter((line) => line.startsWith("  spoilt-")).length;
  assertEquals([shownIn(24), shownIn(16)], [9, 7]);
});

Deno.test("mt top: sentences go on in the next line where the screen is narrow", () => {
  assertEquals(wrap("  key   does it", 20, 8), ["  key   does it"]);
  assertEquals(wrap("  key   does what it says", 17, 8), ["  key   does what", "        it says"]);
  assertEquals(wrap("a \u65e5\u672c\u8a9e b", 7, 1), ["a", " \u65e5\u672c\u8a9e", " b"]);
  assertEquals([wrap("", 9, 2), wrap("longer", 3, 2)], [[""], ["longer"]]);
});

Deno.test("mt top: text fits in columns, whatever is in it", () => {
  assertEquals([fit("abc", 5), fit("abc", 5, "right"), fit("abcdef", 4)], [
    ...["abc  ", "  abc", "abc…"],
  ]);
  assertEquals(fit("\u65e5\u672c\u8a9e", 4), "\u65e5… ");
  assertEquals(fit("a\x1b\u0301b", 12), "a\\u001b\ufffdb   ");
  assertEquals([barOf(0, 4), barOf(1e-9, 4), barOf(0.5, 4), barOf(7, 4)], [
    ...["    ", "▏   ", "██  ", "████"],
  ]);
  assertEquals(keysIn("j\x1b[A\x1bOB\x1b\r?\x1b[5~"), [
    ...["j", "up", "down", "escape", "enter", "?", "page-up"],
  ]);
});
