// Processes that end while somebody waits in them, and while messages arrive. They end at once,
// with the status that they should have, and by no signal.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Channel, createChannel, openConsumer, openProducer } from "../../mod.ts";
import { encode } from "./_content.ts";
import { Child, IS_LONG, note, pause, TestDirectory, until } from "./_support.ts";

/** A way to wait, and whether `--allow-ffi` is for everything: code may differ by that. */
interface Wait {
  kind: string;
  isUnscoped: boolean;
}

const WAITS: Wait[] = [
  { kind: "forAwait", isUnscoped: true },
  { kind: "forAwait", isUnscoped: false },
  { kind: "wait", isUnscoped: true },
  { kind: "wait", isUnscoped: false },
  { kind: "ready", isUnscoped: false },
];

/** Ways to end, and the status that the process then has. */
const ENDS: Record<string, number> = { exit: 7, throw: 1, reject: 1, close: 0 };

/** Times that each pair of both is tried. */
const TRIES = IS_LONG ? 100 : 3;

/** Keeps messages going through a channel, by bursts in each turn of the event loop. */
class Traffic implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(directory: string, name: string, role: "producer" | "consumer") {
    this.#channel = createChannel(name, { directory, sizeBytes: 65536 });
    this.#done = role === "producer" ? this.#produce() : this.#consume();
  }

  async #produce(): Promise<void> {
    const producer = openProducer(this.#channel);
    for (let counter = 0; !this.#isStopped; counter++) {
      producer.offer(encode(1, counter, 40)); // Back pressure is over when a dead one is found.
      if (counter % 5 === 0) await pause(0);
    }
  }

  async #consume(): Promise<void> {
    const consumer = openConsumer(this.#channel);
    while (!this.#isStopped) {
      consumer.poll(() => {}, 2);
      await pause(0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    this.#channel.close();
  }
}

for (const [i, { kind, isUnscoped }] of WAITS.entries()) {
  const who = isUnscoped ? "unscoped" : "scoped";
  Deno.test(`Process ends in ${kind}() while messages arrive (${who} --allow-ffi)`, async () => {
    using directory = new TestDirectory();
    const place = { directory: directory.path };
    const role = kind === "ready" ? "consumer" : "producer";
    await using _traffic = new Traffic(directory.path, "exit", role);
    let endMs = i;
    for (let round = 0; round < TRIES; round++) {
      for (const [end, status] of Object.entries(ENDS)) {
        const isAtMessage = round % 2 === 1 && kind !== "ready";
        const config = {
          ...{ channel: "exit", kind, end, isAtMessage, endMs: endMs++ % 6 },
          ...{ wait: round % 3 === 0 ? "adaptive" : "park" },
          ...{ onSlow: round % 4 === 0 ? "block" : "drop" },
        };
        await using child = new Child("waiter", config, { ...place, isUnscoped });
        await child.expect("open");
        if (end === "close") await child.expect("over");
        const { code, signal, stderr } = await child.ended();
        assertEquals([code, signal], [status, null], `${JSON.stringify(config)}: ${stderr}`);
        if (status === 1) assertStringIncludes(stderr, "thrown on purpose");
      }
    }
    note("endedWhileWaiting", TRIES * Object.keys(ENDS).length);
  });
}

Deno.test("Process with an open consumer ends by itself when nobody waits", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  await using _traffic = new Traffic(directory.path, "none", "producer");
  for (const isUnscoped of [true, false]) {
    const config = { channel: "none", kind: "none" };
    await using child = new Child("waiter", config, { ...place, isUnscoped });
    await child.succeeded();
  }
});

for (const { kind, isUnscoped } of WAITS.filter(({ kind }) => kind !== "ready")) {
  const who = isUnscoped ? "unscoped" : "scoped";
  Deno.test(`Process lives as long as ${kind}() waits (${who} --allow-ffi)`, async () => {
    using directory = new TestDirectory();
    const place = { directory: directory.path };
    using channel = createChannel("alive", place);
    const producer = openProducer(channel);
    const config = { channel: "alive", kind, report: true };
    await using child = new Child("waiter", config, { ...place, isUnscoped });
    await child.expect("open");
    await until("it consumes", () => channel.stats().consumers.length === 1);
    for (const sequence of [1, 2, 3]) {
      producer.offer(encode(1, sequence, 20));
      assertEquals(await child.expect("message"), String(sequence));
      await pause(250); // Longer than a slice of waiting on the pool.
    }
    assertEquals(channel.stats().consumers[0]!.state, "alive");
  });
}

Deno.test("Process gets a signal while pollWait() blocks it, and its listener runs", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("signal", place);
  for (const wait of ["park", "adaptive"]) {
    const config = { channel: "signal", kind: "pollWait", wait, end: "signal" };
    await using child = new Child("waiter", config, place);
    await child.expect("open");
    await until("it consumes", () => hasLiveConsumer(channel));
    const ended = child.ended();
    // Again and again, as one may come while it does not sleep.
    const timer = setInterval(() => child.kill("SIGTERM"), 20);
    const { code, stderr } = await ended;
    clearInterval(timer);
    assertEquals(code, 9, stderr);
  }
});

Deno.test("Process without a listener dies of a signal while pollWait() blocks it", async () => {
  using directory = new TestDirectory();
  const place = { directory: directory.path };
  using channel = createChannel("signal", place);
  const config = { channel: "signal", kind: "pollWait" };
  await using child = new Child("waiter", config, place);
  await child.expect("open");
  await until("it consumes", () => hasLiveConsumer(channel));
  child.kill("SIGTERM");
  assertEquals((await child.ended()).signal, "SIGTERM");
  assert(!hasLiveConsumer(channel));
});

function hasLiveConsumer(channel: Channel): boolean {
  return channel.stats().consumers.some(({ state }) => state === "alive");
}
