// `mt clean`: what nobody uses goes, everything else stays.

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  type Channel,
  CorruptHeaderError,
  createChannel,
  openChannel,
  openConsumer,
  openObserver,
  openProducer,
  removeUnusedChannel,
} from "../mod.ts";
import { counter, openCounters } from "../lib/observability/mod.ts";
import { Logged, send } from "./_logged.ts";
import { encode, runScript, Scratch } from "./_support.ts";
import { runTask } from "./_task.ts";

// deno-lint-ignore no-explicit-any -- what the tool prints, as its readers see it
async function clean(...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await runTask("mt", ["clean", "--json", ...args]);
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

function filesIn({ directory }: Scratch): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

Deno.test("mt clean removes what no living process has open, and says what and why", async () => {
  using scratch = new Logged();
  const { directory } = scratch;
  const plain = { directory, sizeBytes: 4096 };
  {
    using left = createChannel("left", plain);
    openConsumer(left, { name: "reader" });
    openProducer(left).write(encode("unread"));
  }
  createChannel("looked-at", plain).close();
  using observed = openChannel("looked-at", { directory, readOnly: true });
  using open = createChannel("open", plain); // Neither producer nor consumer yet.
  using used = createChannel("used", plain);
  openProducer(used, { name: "gateway" });
  {
    using written = scratch.create({}, "written");
    send(openProducer(written), 3);
  }
  scratch.create({}, "tail").close();
  {
    using tail = openChannel("tail", { directory }); // Nobody writes its log now.
    openProducer(tail).offer(encode("in the ring alone"));
  }
  Deno.writeTextFileSync(`${directory}/foreign.ring`, "no ring file");
  Deno.writeTextFileSync(`${directory}/notes.txt`, "not ours");
  const definitions = { turns: counter("turns_total", "How often it went round.") };
  openCounters("gone", definitions, { directory }).close();
  using _counters = openCounters("service", definitions, { directory });

  const place = ["--directory", directory];
  const before = filesIn(scratch);
  const plan = await clean("--dry-run", ...place);
  assertEquals(filesIn(scratch), before);
  const done = await clean(...place);
  assertEquals([plan.removed, plan.kept], [done.removed, done.kept]);
  const reader = { consumer: "reader", messages: 1 };
  // deno-lint-ignore no-explicit-any -- as above
  const removed = done.removed.map(({ name, unread }: any) => [name, unread]);
  assertEquals(removed, [["left", [reader]], ["written", []], ["gone", []]]);
  // deno-lint-ignore no-explicit-any -- as above
  const kept = Object.fromEntries(done.kept.map(({ name, kept }: any) => [name, kept]));
  assertEquals(Object.keys(kept), ["foreign", "looked-at", "open", "tail", "used", "service"]);
  assertMatch(kept.foreign, /found 12 bytes where/);
  assertEquals(kept.open, "a living process has it open");
  assertEquals(kept.used, `in use by process ${Deno.pid} (gateway)`);
  assertMatch(kept.tail, /^its log lacks \d+ B that are in the ring alone; start a process/);
  const gone = ["gone.counters", "left.ring", "written.ring"];
  assertEquals(filesIn(scratch), before.filter((name) => !gone.includes(name)));
  assert(open.stats().hasName && observed.stats().hasName);

  // Once its log is written down, and those who look have gone, they go as well.
  observed.close();
  scratch.create({}, "tail").close();
  const { stdout } = await runTask("mt", ["clean", ...place]);
  assertMatch(stdout, /^Removed .*\/looked-at\.ring \(\d+ KiB\)$/m);
  assertMatch(stdout, /^Kept .*\/open\.ring: a living process has it open$/m);
  assertMatch(stdout, /^Removed 2 of 6 files, \d+ KiB\n$/m);
  using again = scratch.create({}, "tail");
  const texts: string[] = [];
  openObserver(again, { from: 1 }).poll(({ text }) => void texts.push(text));
  assertEquals(texts, ["in the ring alone"]);
});

Deno.test("mt clean says what comes to consumers again, as only the ring knows them", async () => {
  using scratch = new Logged();
  const { directory } = scratch;
  const poll = (channel: Channel, name: string): number[] => {
    const sequences: number[] = [];
    using consumer = openConsumer(channel, { name });
    while (consumer.poll(({ sequence }) => void sequences.push(sequence)) > 0);
    return sequences;
  };
  {
    using channel = scratch.create();
    const producer = openProducer(channel);
    send(producer, 3);
    assertEquals(poll(channel, "known"), [1, 2, 3]);
    assertEquals(poll(channel, "older"), [1, 2, 3]);
    send(producer, 2);
  }
  {
    using channel = openChannel("test", { directory }); // Nobody writes the log any more.
    assertEquals(poll(channel, "older"), [4, 5]);
    assertEquals(poll(channel, "new"), [1, 2, 3, 4, 5]);
  }
  const repeated = [{ consumer: "older", messages: 2 }, { consumer: "new", messages: 5 }];
  const place = ["--directory", directory];
  const plan = await clean("--dry-run", ...place);
  assertEquals(plan.removed.map((channel: unknown) => Object(channel).repeated), [repeated]);
  const { stdout } = await runTask("mt", ["clean", ...place]);
  const told = '2 messages that "older" has acknowledged come again, ' +
    '5 messages that "new" has acknowledged come again';
  assertMatch(stdout, new RegExp(`^Removed .*/test\\.ring \\(\\d+ KiB, ${told}\\)$`, "m"));
  using again = scratch.create();
  assertEquals(poll(again, "older"), [4, 5]);
  assertEquals(poll(again, "new"), [1, 2, 3, 4, 5]);
  assertEquals(poll(again, "known"), [4, 5]); // It had not got them yet.
});

Deno.test("removeUnusedChannel() takes no file from whoever opens it meanwhile", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const argument = JSON.stringify({ directory, rounds: 300 });
  let isRunning = true;
  const child = runScript("_channel_child.ts", ["--allow-all"], ["keep", argument])
    .finally(() => isRunning = false);
  const counts = { "removed": 0, "in use": 0, "unlogged": 0 };
  while (isRunning) {
    for (let turn = 0; turn < 50; turn++) {
      try {
        counts[removeUnusedChannel("kept", { directory }).verdict]++;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    const isEnough = counts.removed > 0 && counts["in use"] > 0;
    if (isEnough) Deno.writeTextFileSync(`${directory}/enough`, "");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert(await child as number >= 300);
  assert(counts.removed > 0 && counts["in use"] > 0, JSON.stringify(counts));
});

Deno.test("removeUnusedChannel() leaves what is none of ours, and what it has open", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  Deno.writeTextFileSync(`${directory}/foreign.ring`, "no ring file");
  assertThrows(() => removeUnusedChannel("foreign", { directory }), CorruptHeaderError);
  assertThrows(() => removeUnusedChannel("none", { directory }), Deno.errors.NotFound);
  const channel = scratch.create();
  assertEquals(removeUnusedChannel("test", { directory }).verdict, "in use");
  channel.close();
  assertEquals(removeUnusedChannel("test", { directory, onlyLook: true }).verdict, "removed");
  assertEquals(removeUnusedChannel("test", { directory }).verdict, "removed");
  assertThrows(() => removeUnusedChannel("test", { directory }), Deno.errors.NotFound);
});
