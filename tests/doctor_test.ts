// What the doctor says of machines on which one thing of memory or disk is wrong.

import { assertEquals } from "@std/assert";
import { examine, type Facts, summaryOf, worstOf } from "../scripts/doctor/mod.ts";
import { checkCases, healthyFacts, TMPFS } from "./_doctor.ts";

function room(availableBytes: number, bytes = 8 * 2 ** 30): Facts["rings"]["fileSystem"] {
  return { ...TMPFS, bytes, availableBytes, freeBytes: availableBytes };
}

Deno.test("examine() finds nothing where nothing is wrong, and asks for nothing", () => {
  const lines = examine(healthyFacts());
  assertEquals(lines.filter(({ verdict, fix }) => verdict !== "ok" || fix !== ""), []);
  assertEquals([worstOf(lines), summaryOf(lines)], ["ok", "ok"]);
  assertEquals(new Set(lines.map(({ name }) => name)).size, lines.length, "names are unique");
  const without = examine({ ...healthyFacts(), logs: undefined, syncTimes: undefined });
  const line = examine(healthyFacts()).find(({ name }) => name === "log file system")!;
  assertEquals(line.found, "xfs (/dev/nvme1n1)", "the mount with a space in its name");
  assertEquals(without.filter(({ area }) => area === "disk"), []);
});

Deno.test("examine() says what is wrong with where rings lie, and the fix", () => {
  checkCases([
    {
      spoil: ({ rings }) => rings.fileSystem = room(64 * 2 ** 20, 64 * 2 ** 20),
      name: "ring space",
      verdict: "warn",
      found: /^64 MiB of 64 MiB free$/,
      fix: /--shm-size=1g.*emptyDir.*medium: Memory.*remount,size/,
    },
    {
      spoil: ({ rings }) => rings.fileSystem = { ...room(0), freeBytes: 1.5 * 2 ** 30 },
      name: "ring space",
      verdict: "fail",
      found: /^0 B of 8 GiB free \(and 1\.50 GiB for root only\)$/,
      fix: /--shm-size/,
    },
    {
      spoil: ({ rings }) => rings.fileSystem.filesFree = 0,
      name: "ring space",
      verdict: "fail",
      found: /inodes/,
      fix: /remove files/,
    },
    {
      spoil: ({ rings }) => {
        rings.fileSystem = { ...TMPFS, kind: "nfs", isUnsupported: true };
      },
      name: "ring file system",
      verdict: "fail",
      found: /^nfs/,
      fix: /\/dev\/shm/,
    },
    {
      spoil: ({ rings }) => rings.fileSystem.kind = "ext4",
      name: "ring file system",
      verdict: "warn",
      found: /^ext4: .*disk/,
      fix: /\/dev\/shm/,
    },
    {
      spoil: ({ rings }) => rings.fault = "Cannot open it: others may write there",
      name: "ring directory",
      verdict: "fail",
      found: /others may write there/,
      fix: /chmod 700 \/dev\/shm\/message_transport-1000/,
    },
  ]);
});

Deno.test("examine() says what takes memory away, and the fix", () => {
  const cgroup = (memoryMax: string, memoryUsed: string) => (facts: Facts) => {
    facts.cgroups.splice(1, 0, { memoryMax, memoryUsed, processorMax: "" });
  };
  const cgroupLine = { name: "cgroup memory", fix: /--memory=2g.*MemoryMax=/ };
  checkCases([
    {
      ...cgroupLine,
      spoil: cgroup(`${4 * 2 ** 20}`, "0"),
      verdict: "fail",
      found: /^4 MiB left of 4 MiB/,
    },
    {
      ...cgroupLine,
      spoil: cgroup(`${2 ** 30}`, `${2 ** 30 - 64 * 2 ** 20}`),
      verdict: "warn",
      found: /^64 MiB left of 1 GiB/,
    },
    { ...cgroupLine, spoil: cgroup("100", "200"), verdict: "fail", found: /^0 B left of 100 B/ },
    {
      spoil: ({ limits }) => limits.lockedBytes = 64 * 1024,
      name: "memory lock",
      verdict: "warn",
      found: /^64 KiB may be locked/,
      fix: /LimitMEMLOCK=infinity.*limits\.conf.*--ulimit memlock=-1/,
    },
    {
      spoil: ({ logind }) => logind.settings = "RemoveIPC=no\n[Login]\nRemoveIPC=yes\n",
      name: "RemoveIPC",
      verdict: "warn",
      found: /^yes: rings go/,
      fix: /RemoveIPC=no.*enable-linger/,
    },
    {
      spoil: ({ logind }) => logind.settings = "#RemoveIPC=no\n",
      name: "RemoveIPC",
      verdict: "warn",
      found: /^yes/,
      fix: /RemoveIPC=no/,
    },
    {
      spoil: ({ rings }) => rings.path = "/run/user/1000/message_transport",
      name: "RemoveIPC",
      verdict: "warn",
      found: /last session ends/,
      fix: /enable-linger/,
    },
    {
      spoil: ({ texts }) => texts.hugePages = "[always] madvise never",
      name: "huge pages",
      verdict: "warn",
      found: /^always/,
      fix: /echo madvise > .*transparent_hugepage\/enabled/,
    },
    {
      spoil: ({ texts }) => texts.mappingsMax = "2000",
      name: "mappings",
      verdict: "warn",
      found: /^enough for 250 channels in a process, or 45 whose logs/,
      fix: /vm\.max_map_count/,
    },
    {
      spoil: ({ limits }) => limits.files = 1024,
      name: "descriptors",
      verdict: "warn",
      found: /^enough for 960 channels in a process, or 160 whose logs/,
      fix: /ulimit -n.*LimitNOFILE=/,
    },
  ]);
});

Deno.test("examine() spares whom logind spares, and whom limits do not hold", () => {
  const spared: ((facts: Facts) => void)[] = [
    ({ logind }) => logind.isRunning = false,
    ({ logind }) => logind.lingers = true,
    ({ limits }) => limits.user = 0,
    ({ rings }) => rings.path = "/srv/rings",
    (facts) => {
      facts.logind.settings = "RemoveIPC=off";
      facts.limits.lockedBytes = 0;
      facts.texts.process = "CapEff:\t000001ffffffffff\n";
    },
  ];
  for (const spare of spared) {
    const facts = healthyFacts();
    facts.logind.settings = "RemoveIPC=yes";
    spare(facts);
    assertEquals(summaryOf(examine(facts)), "ok");
  }
});

Deno.test("examine() says what is wrong with where logs lie, and the fix", () => {
  const kind = (kind: string, isUnsupported = false) => (facts: Facts) => {
    facts.logs!.fileSystem = { ...TMPFS, kind, isUnsupported };
  };
  const file = { name: "log file system" };
  checkCases([
    { ...file, spoil: kind("9p", true), verdict: "fail", found: /^9p /, fix: /local disk/ },
    {
      ...file,
      spoil: kind("tmpfs"),
      verdict: "fail",
      found: /sync does nothing/,
      fix: /local disk/,
    },
    { ...file, spoil: kind("overlay"), verdict: "warn", found: /container/, fix: /volume/ },
    {
      spoil: ({ logs }) => logs!.fileSystem = { ...room(10 * 2 ** 20), kind: "xfs" },
      name: "disk space",
      verdict: "fail",
      found: /^10 MiB of 8 GiB free/,
      fix: /maxBytes/,
    },
    {
      spoil: ({ logs }) =>
        logs!.fileSystem = { ...room(40 * 2 ** 30, 1000 * 2 ** 30), kind: "xfs" },
      name: "disk space",
      verdict: "warn",
      found: /^40 GiB of 1000 GiB free/,
      fix: /checkpoints/,
    },
    {
      spoil: ({ logs }) => logs!.exists = false,
      name: "log directory",
      verdict: "warn",
      found: /is not there/,
      fix: /mkdir -p -m 700 \/var\/my logs\/mt/,
    },
    {
      spoil: ({ logs }) => logs!.fault = "found something else (mode 0777)",
      name: "log directory",
      verdict: "fail",
      found: /0777/,
      fix: /chmod 700/,
    },
  ]);
});

Deno.test("examine() says what syncs tell of a disk, and the fix", () => {
  const sync = (p50Ns: number, p99Ns: number) => (facts: Facts) => {
    facts.syncTimes = { count: 200, p50Ns, p99Ns };
  };
  checkCases([
    {
      spoil: sync(2000, 9000),
      name: "sync time",
      verdict: "warn",
      found: /p50 2\.00 µs, p99 9\.00 µs \(200\): too fast for a disk/,
      fix: /cache=unsafe.*power cut/,
    },
    {
      spoil: sync(8e6, 9e6),
      name: "sync time",
      verdict: "warn",
      found: /p50 8\.00 ms/,
      fix: /solid-state disk/,
    },
    {
      spoil: (facts) => facts.syncFault = "Input/output error (os error 5)",
      name: "sync time",
      verdict: "fail",
      found: /os error 5/,
      fix: /mend the disk/,
    },
  ]);
});
