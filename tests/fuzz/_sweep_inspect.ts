// Inspects, verifies and salvages spoilt files: every outcome is an answer or an error of one line.
// A process of its own, so that a crash or a hang is seen, and its case is known.

import {
  CorruptLogError,
  createChannel,
  openProducer,
  readLog,
  salvageLog,
  SequenceGapError,
} from "../../mod.ts";
import { ScriptError } from "../../scripts/_command.ts";
import { inspectionText, inspectPath } from "../../scripts/cli/_inspect.ts";
import { planRecovery, planText } from "../../scripts/cli/_recover.ts";
import { verifiedText, verifyPath } from "../../scripts/cli/_verify.ts";
import { crc32c, mask } from "../_format.ts";
import { TestLog } from "../_log.ts";
import { encode } from "../_support.ts";
import { Random } from "../fault/_support.ts";

interface Task {
  directory: string;
  seed: number;
  rounds: number;
}

const { directory, seed, rounds } = JSON.parse(Deno.args[0]!) as Task;
const random = new Random(seed);
using progress = Deno.openSync(`${directory}/inspect.progress`, { create: true, write: true });
let [cases, answers] = [0, 0];

async function look(path: string): Promise<void> {
  const tools: (() => unknown)[] = [
    async () => inspectionText(await inspectPath(path, { limit: 3 })),
    async () => JSON.stringify(await inspectPath(path, { limit: 1000 })),
    async () => verifiedText(await verifyPath(path, { direct: random.below(2) === 0 })),
    async () => planText(await planRecovery(path)),
    () => salvageLog(path),
    () => [...readLog(path)].length,
  ];
  for (const tool of tools) {
    try {
      await tool();
      answers++;
    } catch (error) {
      const isExpected = error instanceof ScriptError || error instanceof CorruptLogError ||
        error instanceof SequenceGapError || error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.PermissionDenied;
      if (!isExpected) throw error;
    }
  }
}

/** Spoils bytes in one of several ways. */
function spoil(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  const at = random.below(copy.length);
  switch (random.below(6)) {
    case 0:
      for (let count = 1 + random.below(20); count > 0; count--) {
        copy[random.below(copy.length)]! ^= 1 << random.below(8);
      }
      return copy;
    case 1:
      return copy.slice(0, at);
    case 2:
      for (let i = at; i < Math.min(copy.length, at + 512); i++) copy[i] = random.below(256);
      return copy;
    case 3: // One part over another: sound things in wrong places.
      copy.copyWithin(at & ~511, random.below(copy.length) & ~511, copy.length >> 1);
      return copy;
    case 4: // A header of any content with a checksum that is right.
      for (let count = 1 + random.below(4); count > 0; count--) {
        copy[8 + random.below(200)] = random.below(256);
      }
      return reseal(copy);
    default:
      return Uint8Array.from({ length: random.below(20_000) }, () => random.below(256));
  }
}

const HEADER_BYTES = 4096;

function reseal(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length < HEADER_BYTES) return bytes;
  const end = HEADER_BYTES - 4;
  const view = new DataView(bytes.buffer);
  view.setUint32(end, mask(crc32c(bytes.subarray(0, end))), true);
  return bytes;
}

using log = new TestLog(3_000);
{
  using channel = createChannel("ring", { directory: log.root, sizeBytes: 65536 });
  const producer = openProducer(channel);
  for (let count = 0; count < 300; count++) producer.offer(encode(`message ${count}`));
}
const ring = `${log.root}/ring.ring`;
const files = log.copy();
const ringBytes = Deno.readFileSync(ring);
const [firstSegment] = log.segments();
files.set("torn-00000001-4096-1", files.get(firstSegment!)!.slice(4096, 20_000));
log.restore(files);
const names = [...files.keys()].filter((name) => name !== "LOCK");
for (let round = 0; round < rounds; round++) {
  const name = names[random.below(names.length)]!;
  progress.seekSync(0, Deno.SeekMode.Start);
  progress.writeSync(encode(`round ${round} ${name}`.padEnd(80)));
  Deno.writeFileSync(log.path(name), spoil(files.get(name)!));
  for (const path of [log.path(name), log.directory]) await look(path);
  Deno.writeFileSync(log.path(name), files.get(name)!);
  Deno.writeFileSync(ring, spoil(ringBytes));
  await look(ring);
  Deno.writeFileSync(`${log.root}/any`, spoil(files.get(name)!));
  await look(`${log.root}/any`); // Without a name, and without its neighbours.
  cases += 4;
}
// What is no file in the place of one, and nothing.
const pipe = `${log.directory}/${log.segments()[1]}`;
Deno.removeSync(pipe);
new Deno.Command("mkfifo", { args: ["-m", "600", pipe] }).outputSync();
Deno.writeFileSync(`${log.root}/empty`, new Uint8Array(0));
for (const path of [pipe, "/dev/zero", `${log.root}/empty`, log.root, log.directory]) {
  await look(path);
  cases++;
}
console.log(JSON.stringify({ cases, answers }));
