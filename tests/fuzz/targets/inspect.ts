/**
 * What looks at files from outside: `mt inspect`, `verify`, `status`, `tail` and `recover
 * --dry-run`, over a directory with a ring, a log and a store. The first byte chooses what is
 * spoilt; the rest are cuts, or, where it is odd, the bytes of the file.
 *
 * @module
 */

import { dirname } from "node:path";
import { checkpointsPlanText, planCheckpoints } from "../../../scripts/cli/_checkpoints.ts";
import { inspectionText, inspectPath, isSound } from "../../../scripts/cli/_inspect.ts";
import { planRecovery, planText } from "../../../scripts/cli/_recover.ts";
import { readStatus, statusText } from "../../../scripts/cli/_status.ts";
import { verifiedText, verifyPath } from "../../../scripts/cli/_verify.ts";
import { Decoder } from "../../../scripts/records/decoder.ts";
import { messageLine, noteLine } from "../../../scripts/cli/_tail_lines.ts";
import { ChannelSource, type Item, readLogTo } from "../../../scripts/records/channel_source.ts";
import { createChannel, openChannel, openProducer, openStore } from "../../../mod.ts";
import { encode } from "../../_support.ts";
import { sealLog, writeLog } from "../_log.ts";
import { join } from "../../_bytes.ts";
import { sealIdentity } from "../_ring.ts";
import { cut, flips, operate, overwrite } from "../_surgery.ts";
import { isRefusal, must, outcomeOf, type Target } from "../_target.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Lines of a ring or a log that are read: each of its messages, gaps and damage has one. */
const LINES_MAX = 200;

/** Control characters, by which a file could write to a terminal what it likes. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/;

interface Subject {
  path: string;
  /** Directory that is looked at as a whole as well. */
  directory: string;
  sound: Bytes;
}

async function subjectsIn(directory: string): Promise<Subject[]> {
  Deno.mkdirSync(`${directory}/rings`);
  {
    const place = { directory: `${directory}/rings`, sizeBytes: 4096 };
    using channel = createChannel("ring", place);
    const producer = openProducer(channel, { name: "p" });
    for (let i = 0; i < 20; i++) producer.offer(encode(`message ${i}`));
  }
  const log = `${directory}/log`;
  const files = [...writeLog(log).files.keys()].filter((name) => /\.wal$|^control$/.test(name));
  {
    Deno.mkdirSync(`${directory}/ckpt`);
    using store = openStore({ directory: `${directory}/ckpt/a`, mapBytes: 1 << 18 });
    const value = encode('{"version":1,"id":1,"createdMs":1,"cursors":[]}');
    await store.commit([{ put: "ckpt/engine/0000000000000001", value }]);
  }
  const paths = [
    [`${directory}/rings/ring.ring`, `${directory}/rings`],
    ...files.map((name) => [`${log}/wal/test/${name}`, `${log}/wal/test`]),
    [`${directory}/ckpt/a/data.mdb`, `${directory}/ckpt`],
  ] as [string, string][];
  return paths.map(([path, directory]) => ({ path, directory, sound: Deno.readFileSync(path) }));
}

function sealAny(bytes: Bytes, name: string): void {
  if (name.endsWith(".ring")) sealIdentity(bytes);
  else if (!name.endsWith(".mdb")) sealLog(bytes, name.slice(name.lastIndexOf("/") + 1));
}

/** What `mt tail` prints of a channel's ring, or of a log. */
function tail(directory: string): string {
  const lines: string[] = [];
  const decoder = new Decoder("");
  const sink = (item: Item) => {
    if (item.kind !== "message") return lines.push(noteLine(item, false)) < LINES_MAX;
    const { message, publishTimeUs } = item;
    const decoded = decoder.decode(message.view, message.offset, message.length);
    return lines.push(messageLine(message, publishTimeUs, decoded, false)) < LINES_MAX;
  };
  if (directory.endsWith("rings")) {
    using channel = openChannel("ring", { directory, readOnly: true, prefault: false });
    using source = new ChannelSource(channel);
    source.seek(1);
    source.read(sink);
  } else readLogTo(directory, {}, sink);
  return lines.join("\n");
}

/** Every command over a path; what they print may be printed. */
async function look(path: string, isDirectory: boolean): Promise<string> {
  const commands: (() => Promise<string> | string)[] = [
    async () => {
      const found = await inspectPath(path, { limit: 5 });
      JSON.stringify(found);
      isSound(found);
      return `${found.kind}\n${inspectionText(found)}`;
    },
    async () => {
      const found = await verifyPath(path, { direct: false });
      JSON.stringify(found);
      return verifiedText(found);
    },
    async () => planText(await planRecovery(path)),
    async () => checkpointsPlanText(await planCheckpoints(path)),
    async () => statusText(await readStatus({ directory: isDirectory ? path : dirname(path) })),
    () => tail(isDirectory ? path : dirname(path)),
  ];
  const outcomes: string[] = [];
  for (const command of commands) {
    try {
      const text = await command();
      const bad = CONTROL.exec(text);
      must(
        bad === null,
        `prints ${JSON.stringify(text.slice(bad?.index, (bad?.index ?? 0) + 40))}`,
      );
      outcomes.push(text.slice(0, 300).replace(/[0-9a-f.]*\d[0-9a-f.]*/g, "0"));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      outcomes.push(outcomeOf(error).slice(0, 60));
    }
  }
  return outcomes.join(" | ");
}

/** Opens it: makes the files. */
export async function open(directory: string): Promise<Target> {
  const subjects = await subjectsIn(directory);
  return {
    seeds: subjects.flatMap(({ sound }, at) => [
      ...flips(0, 0, 300, 17).map((surgery) => join([4 * at], surgery)),
      ...flips(0, 4096, 4800, 47).map((surgery) => join([4 * at], surgery)),
      join([4 * at + 2], cut("flip", { at: 20, bytes: [4] }), cut("seal")),
      join([4 * at], cut("size", { at: 100 })),
      join([4 * at + 1], sound.subarray(0, 200)),
    ]),
    async run(input) {
      const kind = input[0] ?? 0;
      const { path, directory, sound } = subjects[(kind >> 2) % subjects.length]!;
      const isWhole = (kind & 2) !== 0;
      const rest = input.slice(1);
      const spoilt = kind % 2 === 1
        ? rest
        : operate(new Map([[path, sound]]), rest, sealAny).get(path) ?? new Uint8Array(0);
      overwrite(path, spoilt);
      const outcome = await look(isWhole ? directory : path, isWhole);
      overwrite(path, sound);
      return outcome;
    },
  };
}
