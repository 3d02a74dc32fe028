// Does with channels what another user does, step by step, and tells what came of each.

import {
  createChannel,
  listChannels,
  openChannel,
  openConsumer,
  openObserver,
  openProducer,
  removeChannel,
} from "../mod.ts";

const { directory, group, umask, steps } = JSON.parse(Deno.args[0]!) as {
  directory: string;
  group: number;
  umask: number;
  steps: string[];
};
const walDir = `${directory}/wal`;

const STEPS: Record<string, () => unknown> = {
  "make private": () => {
    using channel = createChannel("private", { directory, sizeBytes: 4096 });
    openProducer(channel).write(new TextEncoder().encode("mine"));
  },
  "make shared": () => {
    const options = { directory, group, sizeBytes: 4096, producers: "many" } as const;
    using channel = createChannel("shared", options);
    openProducer(channel).write(new TextEncoder().encode("for the group"));
  },
  "make logged": () => {
    const options = { directory, walDir, group, sizeBytes: 4096, segmentBytes: 262_144 } as const;
    using channel = createChannel("logged", { ...options, durability: "disk" });
    const producer = openProducer(channel);
    for (let i = 0; i < 50; i++) producer.waitDurable(producer.write(new Uint8Array(200)));
  },
  "open private": () => openChannel("private", { directory }).close(),
  "create private": () => createChannel("private", { directory, sizeBytes: 4096 }).close(),
  "observe private": () => openChannel("private", { directory, readOnly: true }).close(),
  "open shared": () => openChannel("shared", { directory }).close(),
  "create shared": () =>
    createChannel("shared", { directory, group, sizeBytes: 4096, producers: "many" }).close(),
  "make own": () => createChannel("own", { directory, sizeBytes: 4096 }).close(),
  "make own shared": () =>
    createChannel("own-shared", { directory, group, sizeBytes: 4096 }).close(),
  "read shared": () => {
    using channel = openChannel("shared", { directory });
    const texts: string[] = [];
    openConsumer(channel, { from: "earliest" }).poll(({ text }) => void texts.push(text));
    return texts.join();
  },
  "write shared": () => {
    using channel = openChannel("shared", { directory });
    return openProducer(channel).write(new TextEncoder().encode("from the group"));
  },
  "observe shared": () => {
    using channel = openChannel("shared", { directory, readOnly: true });
    let count = 0;
    openObserver(channel, { from: "earliest" }).poll(() => void count++);
    return count;
  },
  "read log": () => {
    using channel = openChannel("logged", { directory });
    openConsumer(channel, { from: "earliest" });
  },
  "make link": () => Deno.symlinkSync("shared.ring", `${directory}/link.ring`),
  "open link": () => openChannel("link", { directory }).close(),
  "list": () => listChannels({ directory }).map(({ name }) => name).sort().join(),
  "remove private": () => removeChannel("private", { directory }),
};

Deno.umask(umask);
const found = steps.map((step) => {
  try {
    return `${step}: ${STEPS[step]!() ?? "done"}`;
  } catch (error) {
    return `${step}: ${(error as Error).name}`;
  }
});
console.log(JSON.stringify(found));
