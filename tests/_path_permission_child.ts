// Calls everything of the public API that takes a path, and tells what came of it. Its parent has
// not permitted all of it.

import { openConsumerHandle } from "../lib/channel/consumer_options.ts";
import { openInstruments, openJournal, readJournal } from "../lib/market/mod.ts";
import { closeHandle } from "../lib/native/ring.ts";
import { Watch } from "../lib/observability/mod.ts";
import {
  createChannel,
  listChannels,
  openChannel,
  openCheckpoints,
  openConsumer,
  openObserver,
  openStore,
  readLog,
  removeChannel,
  removeConsumer,
  salvageLog,
  verifyCheckpoints,
  verifyLog,
  verifyRing,
  verifyStore,
} from "../mod.ts";

const { directory, walDir } = JSON.parse(Deno.args[0]!) as { directory: string; walDir: string };
const log = `${walDir}/logged`;
const size = { sizeBytes: 4096 };

/** Each call, which closes what it opens. `logged` is in the default directory. */
const CALLS: Record<string, () => unknown> = {
  "createChannel({ directory })": () => createChannel("new", { ...size, directory }).close(),
  "createChannel({ bufferFile })": () =>
    createChannel("new", { ...size, bufferFile: `${directory}/other.ring` }).close(),
  "createChannel({ walDir })": () =>
    createChannel("own", { ...size, walDir, segmentBytes: 262_144 }).close(),
  "openChannel()": () => openChannel("plain", { directory }).close(),
  "openChannel() through ..": () =>
    openChannel("plain", { directory: `${directory}/../${directory.split("/").at(-1)}` }).close(),
  "openChannel({ readOnly })": () => openChannel("plain", { directory, readOnly: true }).close(),
  "listChannels()": () => void listChannels({ directory }),
  "Watch.look()": () => void new Watch({ directory }).look(),
  "removeChannel()": () => removeChannel("gone", { directory }),
  "openConsumer() with a log": () => {
    using channel = openChannel("logged");
    openConsumer(channel, { name: "reader" });
  },
  "openConsumer({ spill })": () => {
    using channel = openChannel("logged");
    openConsumer(channel, { name: "spilling", onSlow: "spill" });
  },
  "openObserver() with a log": () => {
    using channel = openChannel("logged", { readOnly: true });
    openObserver(channel, { from: "earliest" });
  },
  "removeConsumer() with a log": () => {
    using channel = openChannel("logged");
    removeConsumer(channel, "leaver");
  },
  "verifyRing()": () => void verifyRing(`${directory}/plain.ring`),
  "verifyLog()": () => verifyLog(log),
  "readLog()": () => void [...readLog(log)],
  "salvageLog()": () => void salvageLog(log),
  "openStore()": () => openStore({ directory: `${directory}/store` }).close(),
  "verifyStore()": () => verifyStore(`${directory}/store`),
  "openCheckpoints()": () => openCheckpoints({ directory: `${directory}/checkpoints` }).close(),
  "verifyCheckpoints()": () => verifyCheckpoints(`${directory}/checkpoints`),
  "openInstruments()": () => void openInstruments(`${directory}/instruments`),
  "openJournal()": async () => {
    using channel = createChannel("journaled", size);
    await openJournal(channel, { directory: `${directory}/journals` }).stop();
  },
  "readJournal()": async () => {
    for await (const _ of readJournal(`${directory}/journals/journaled`));
  },
};

/** Asks the library itself, past what checks above it, to read in a log. */
function readUnasked(): string {
  using channel = openChannel("logged");
  const place = { name: "", from: 1, onSlow: "block", view: false, observes: true } as const;
  try {
    closeHandle(openConsumerHandle(channel, place));
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}

const results: Record<string, string> = {};
for (const [name, call] of Object.entries(CALLS)) {
  try {
    await call();
    results[name] = "done";
  } catch (error) {
    const { name: kind, message } = error as Error;
    const flag = /--allow-(read|write)/.exec(message)?.[1];
    results[name] = kind === "NotCapable" ? `NotCapable ${flag}` : `${kind}: ${message}`;
  }
}
console.log(JSON.stringify({ results, unasked: readUnasked() }));
