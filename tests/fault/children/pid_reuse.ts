/**
 * In a pid namespace of its own: kills a consumer or a producer, gives its pid to a process that
 * has nothing to do with the channel, and looks whether anybody takes that one for the dead one.
 *
 * Prints `open`, a line `round <what was seen>` for each round, and `end`.
 */

import {
  BACK_PRESSURED,
  type Channel,
  createChannel,
  openConsumer,
  openProducer,
} from "../../../mod.ts";
import { print } from "./_lines.ts";

interface Config {
  deno: string;
  directory: string;
  rounds: number;
  /** Path of the library with fault points. */
  library: string;
}

const LAST_PID = "/proc/sys/kernel/ns_last_pid";
const SIZE_BYTES = 4096;
const config: Config = JSON.parse(Deno.args[0]!);

await Deno.writeTextFile(LAST_PID, "100"); // Fails where that is not allowed.
// The test cannot kill what is in here; it closes our input when it has given up.
void new Response(Deno.stdin.readable).text().then(() => Deno.exit(1));
print("open");
for (let round = 0; round < config.rounds; round++) {
  const tries = [tryConsumer, tryProducer, tryClaim];
  print(`round ${await tries[round % tries.length]!(`round-${round}`)}`);
}
print("end");
Deno.exit();

/** A dead consumer that holds producers back. */
async function tryConsumer(name: string): Promise<string> {
  using channel = createChannel(name, { directory: config.directory, sizeBytes: SIZE_BYTES });
  const producer = openProducer(channel);
  const child = await start("consumer", { channel: name, handle: "never" }, "stalled");
  while (producer.offer(new Uint8Array(40)) !== BACK_PRESSURED);
  await using _impostor = await replace(child);
  const { pid, state } = channel.stats().consumers[0]!;
  while (producer.offer(new Uint8Array(40)) === BACK_PRESSURED) await producer.ready();
  const { repaired } = channel.stats().producers[0]!;
  return `consumer ${pid === child.pid} ${state} ${repaired}`;
}

/** A dead producer in a place that there is only once. */
async function tryProducer(name: string): Promise<string> {
  using channel = createChannel(name, { directory: config.directory, sizeBytes: SIZE_BYTES });
  const blocker = openConsumer(channel);
  const child = await start("waiter", { channel: name, kind: "write" }, "open");
  while ((channel.stats().producers[0]?.backPressured ?? 0) === 0) await pause();
  await using _impostor = await replace(child);
  const { pid, state } = channel.stats().producers[0]!;
  blocker.close();
  return `producer ${pid === child.pid} ${state} ${Number(openProducer(channel).isOpen)}`;
}

/** A dead producer with a claim in everybody's way. */
async function tryClaim(name: string): Promise<string> {
  const place = { directory: config.directory, sizeBytes: SIZE_BYTES };
  using channel: Channel = createChannel(name, { ...place, producers: "many" });
  const consumer = openConsumer(channel);
  const producer = { channel: name, id: 1, operation: "offer" };
  const child = await start("producer", producer, "open", "before_publish:1:stop");
  while (channel.stats().claimed === 0) await pause();
  await using _impostor = await replace(child);
  const { pid, state } = channel.stats().producers[0]!;
  openProducer(channel).offer(new Uint8Array(40));
  let passed = 0;
  while (passed === 0) {
    passed = consumer.poll(() => {});
    await pause();
  }
  return `claim ${pid === child.pid} ${state} ${passed}`;
}

/** Starts a script of this folder and waits for its line. */
async function start(
  script: string,
  options: object,
  line: string,
  fault?: string,
): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(config.deno, {
    args: [
      ...["run", "--no-prompt", "--no-config", "--allow-all"],
      new URL(`./${script}.ts`, import.meta.url).pathname,
      JSON.stringify({ directory: config.directory, ...options }),
    ],
    stdin: "piped",
    stdout: "piped",
    env: fault === undefined ? {} : { MT_LIB: config.library, MT_FAULT: fault },
  }).spawn();
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes(`${line}\n`)) break;
  }
  return child;
}

/** Kills a process and starts another one that gets its pid. */
async function replace(child: Deno.ChildProcess): Promise<AsyncDisposable> {
  child.kill("SIGKILL");
  await child.status;
  for (;;) { // Threads of this process take numbers too.
    await Deno.writeTextFile(LAST_PID, String(child.pid - 1));
    const impostor = new Deno.Command("sleep", { args: ["600"] }).spawn();
    if (impostor.pid === child.pid) return { [Symbol.asyncDispose]: () => end(impostor) };
    await end(impostor);
  }
}

async function end(process: Deno.ChildProcess): Promise<void> {
  process.kill("SIGKILL");
  await process.status;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
