/**
 * The facts of a machine on which nothing is wrong, for tests that spoil one of them.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { examine, type Facts } from "../scripts/doctor/mod.ts";

/** Room and type of a file system on which nothing is wrong. */
export const TMPFS: Facts["rings"]["fileSystem"] = {
  kind: "tmpfs",
  isUnsupported: false,
  bytes: 8 * 2 ** 30,
  freeBytes: 7 * 2 ** 30,
  availableBytes: 7 * 2 ** 30,
  files: 1000,
  filesFree: 900,
};

/** A core on which nothing is wrong. */
export const CORE: Facts["cores"][number] = {
  core: 2,
  siblings: "2",
  governor: "performance",
  idleStates: [
    { name: "POLL", latency: "0", disabled: "0" },
    { name: "C1", latency: "2", disabled: "0" },
    { name: "C6", latency: "133", disabled: "1" },
  ],
};

/** Bare metal with two cores chosen and isolated, and a disk for logs. */
export function healthyFacts(): Facts {
  return {
    texts: {
      process: "Name:\tdeno\nCapEff:\t0000000000000000\n",
      processors: "model name\t: Some CPU\nflags\t\t: fpu tsc constant_tsc\n",
      kernelRelease: "6.12.0",
      mounts: [
        "22 1 8:1 / / rw shared:1 - ext4 /dev/nvme0n1p1 rw",
        "30 22 8:2 / /var/my\\040logs rw shared:2 - xfs /dev/nvme1n1 rw",
      ].join("\n"),
      clockSource: "tsc",
      hugePages: "always [madvise] never",
      hugePagesShared: "always within_size [advise] never deny force",
      mappingsMax: "262144",
      isolatedCores: "2-3",
      ticklessCores: "2-3",
      idleDriver: "intel_idle",
    },
    processorTimes: ["cpu  100 0 50 800 10 0 0 0 0 0\n", "cpu  150 0 80 1000 10 0 0 0 0 0\n"],
    allowed: [0, 1, 2, 3],
    chosen: [2, 3],
    cores: [structuredClone(CORE), { ...structuredClone(CORE), core: 3, siblings: "3" }],
    cgroups: [
      { memoryMax: "max", memoryUsed: "1000000", processorMax: "max 100000" },
      { memoryMax: "9223372036854771712", memoryUsed: "2000000", processorMax: "-1" },
    ],
    limits: {
      lockedBytes: Infinity,
      files: 65536,
      filesHard: 65536,
      realtimePriority: 0,
      addressBytes: Infinity,
      user: 1000,
    },
    probes: { membarrier: 0, futexWaitv: 0, unnamedFile: 0, allocate: 0, lock: 0, map: 0 },
    tickSource: "tsc",
    rings: {
      path: "/dev/shm/message_transport-1000",
      exists: true,
      fileSystem: { ...TMPFS },
      fault: "",
    },
    logs: {
      path: "/var/my logs/mt",
      exists: true,
      fileSystem: { ...TMPFS, kind: "xfs" },
      fault: "",
    },
    syncTimes: { count: 200, p50Ns: 80_000, p99Ns: 300_000 },
    syncFault: "",
    logind: { isRunning: true, settings: "[Login]\nRemoveIPC=no\n", lingers: false },
    deno: "2.9.6",
    libraryPath: "/opt/mt/libmessage_transport.so",
    release: "0.1.0",
    permissions: { ffi: "scoped", read: "scoped", write: "scoped" },
  };
}

/** One thing that is wrong, and the line that has to say so. */
export interface Case {
  spoil: (facts: Facts) => void;
  name: string;
  verdict: "warn" | "fail";
  found: RegExp;
  fix: RegExp;
}

/** Checks that each is told of, and nothing else. */
export function checkCases(cases: readonly Case[]): void {
  for (const { spoil, name, verdict, found, fix } of cases) {
    const facts = healthyFacts();
    spoil(facts);
    const lines = examine(facts);
    const line = lines.find((line) => line.name === name)!;
    assertEquals([name, line.verdict], [name, verdict]);
    assertMatch(line.found, found);
    assertMatch(line.fix, fix);
    const others = lines.filter((other) => other !== line && other.verdict !== "ok");
    assertEquals(others, [], `${name} alone is wrong`);
  }
}
