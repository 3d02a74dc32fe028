// Confines itself, and tells what system calls say before and after: in the main thread, in Workers
// made before and after it, and in a thread of Deno's pool. A process of its own, as nothing can be
// given back.

import { confine, createChannel, openConsumer, openProducer } from "../mod.ts";

/** Numbers on x86-64, and of aarch64. */
const NUMBERS = Deno.build.arch === "x86_64"
  ? { execve: 59, ptrace: 101, unshare: 272, bpf: 321, ioctl: 16, getppid: 110, x32: 0x40000027 }
  : { execve: 221, ptrace: 117, unshare: 97, bpf: 280, ioctl: 29, getppid: 173 };

/** Puts input before a terminal. */
const TIOCSTI = 0x5412n;

const signature = { parameters: ["i64", "i64", "i64", "i64", "i64"], result: "i64" } as const;
const libc = Deno.dlopen("libc.so.6", {
  call: { name: "syscall", ...signature },
  callElsewhere: { name: "syscall", ...signature, nonblocking: true },
  place: { name: "__errno_location", parameters: [], result: "pointer" },
});

/** What each call fails with; 0 if it does not. */
function tryCalls(): Record<string, number> {
  const { call, place } = libc.symbols;
  const error = new Deno.UnsafePointerView(place()!);
  // `execve` of a path that is not there fails with ENOENT (2) where it is not refused.
  const path = new TextEncoder().encode("/nowhere/at/all\0");
  return Object.fromEntries(
    Object.entries(NUMBERS).map(([name, number]) => {
      const first = name === "ptrace" ? 99n : -1n; // No request of that number: EIO.
      // For execve the path is the first argument: a pointer to the buffer.
      const argument = name === "execve" ? pointerTo(path) : first;
      const second = name === "ioctl" ? TIOCSTI : 0n;
      const result = call(BigInt(number), argument, second, 0n, 0n);
      return [name, result === -1n ? error.getInt32() : 0];
    }),
  );
}

function pointerTo(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

function startProgram(): string {
  try {
    new Deno.Command("/bin/true").outputSync();
    return "started";
  } catch (error) {
    return (error as Error).name;
  }
}

async function main(): Promise<void> {
  const start = () => new Worker(import.meta.url, { type: "module", name: "worker" });
  const ask = (worker: Worker) =>
    new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage("try");
    });
  const early = start();
  const before = { main: tryCalls(), worker: await ask(early), program: startProgram() };
  confine();
  confine(); // Again: nothing changes.
  const late = start();
  const bpf = BigInt(NUMBERS.bpf);
  const after = {
    main: tryCalls(),
    early: await ask(early),
    late: await ask(late),
    pool: Number(await libc.symbols.callElsewhere(bpf, -1n, 0n, 0n, 0n)),
    program: startProgram(),
    status: /^Seccomp:\t(\d)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1],
  };
  early.terminate();
  late.terminate();
  console.log(JSON.stringify({ before, after, text: await passMessage() }));
}

/** A message through a channel with a log, to a consumer that sleeps. */
async function passMessage(): Promise<string> {
  const directory = Deno.args[0]!;
  using channel = createChannel("confined", {
    ...{ directory, walDir: directory, sizeBytes: 4096, segmentBytes: 262_144 },
    durability: "disk",
  });
  const consumer = openConsumer(channel, { name: "sleeper" });
  const producer = openProducer(channel);
  setTimeout(() => void producer.write(new TextEncoder().encode("through")), 20);
  for await (const message of consumer) {
    return `${message.text}, ${await producer.durable(message.sequence)}`;
  }
  return "";
}

if (self.name === "worker") {
  const scope = self as unknown as Worker; // This file is checked as a main module.
  scope.onmessage = () => scope.postMessage(tryCalls());
} else await main();
