// What the doctor says of machines on which one thing of cores, kernel or versions is wrong.

import { assertEquals } from "@std/assert";
import { NativeLibraryError } from "../mod.ts";
import { examine, type Facts, summaryOf, worstOf } from "../scripts/doctor/mod.ts";
import { findMount } from "../scripts/doctor/mounts.ts";
import { parseCores, sharesBetween } from "../scripts/doctor/processor.ts";
import { examineWithoutLibrary } from "../scripts/doctor/versions.ts";
import { checkCases, CORE, healthyFacts } from "./_doctor.ts";

Deno.test("examine() says what is wrong with the cores that were chosen, and the fix", () => {
  checkCases([
    {
      spoil: (facts) => facts.allowed = [0, 1, 2],
      name: "cores",
      verdict: "fail",
      found: /^core 3 may not be used: this process has cores 0-2$/,
      fix: /--cores.*taskset.*AllowedCPUs=.*--cpuset-cpus/,
    },
    {
      spoil: ({ cores }) => {
        cores[0]!.siblings = "2-3";
        cores[1]!.siblings = "2-3";
      },
      name: "core siblings",
      verdict: "warn",
      found: /^cores 2-3 are threads of one core$/,
      fix: /thread_siblings_list/,
    },
    {
      spoil: ({ cores }) => cores[0]!.siblings = "2,6",
      name: "core siblings",
      verdict: "warn",
      found: /^other threads of chosen cores: core 6$/,
      fix: /echo 0 > \/sys\/devices\/system\/cpu\/cpu6\/online/,
    },
    {
      spoil: ({ texts }) => texts.ticklessCores = "3",
      name: "isolated cores",
      verdict: "warn",
      found: /^cores 2-3; the kernel puts other work on core 2$/,
      fix: /isolcpus=2,3 nohz_full=2,3 rcu_nocbs=2,3/,
    },
  ]);
});

Deno.test("examine() says what slows or stops cores, and the fix", () => {
  checkCases([
    {
      spoil: ({ cores }) => cores[1]!.governor = "powersave",
      name: "governor",
      verdict: "warn",
      found: /^powersave: /,
      fix: /cpupower frequency-set -g performance/,
    },
    {
      spoil: ({ cores }) => cores.forEach((core) => core.governor = ""),
      name: "governor",
      verdict: "warn",
      found: /^unknown: /,
      fix: /firmware/,
    },
    {
      spoil: ({ cores }) => cores[0]!.idleStates[2]!.disabled = "0",
      name: "idle states",
      verdict: "warn",
      found: /^C6, 133 µs to wake up \(intel_idle\)/,
      fix: /cpupower idle-set -D 10/,
    },
    {
      spoil: ({ cgroups }) => cgroups[1]!.processorMax = "50000 100000",
      name: "processor quota",
      verdict: "warn",
      found: /^50 ms of every 100 ms/,
      fix: /--cpuset-cpus/,
    },
    {
      spoil: ({ processorTimes }) =>
        processorTimes[1] = "cpu  150 0 80 970 10 0 0 30 0 0\ncpu0 1 2 3\n",
      name: "steal time",
      verdict: "warn",
      found: /^10\.7 %: the host ran others/,
      fix: /dedicated/,
    },
    {
      spoil: ({ texts }) => texts.processors = "flags\t\t: fpu hypervisor tsc\n",
      name: "virtual machine",
      verdict: "warn",
      found: /^yes/,
      fix: /bare metal/,
    },
  ]);
});

Deno.test("examine() asks less where no cores were chosen", () => {
  const facts: Facts = { ...healthyFacts(), chosen: [] };
  facts.texts.isolatedCores = "";
  facts.cores[0]!.siblings = "2,6"; // Nobody said that a thread spins there.
  assertEquals(summaryOf(examine(facts)), "ok");
  facts.cores = [{ ...CORE, siblings: "2-3" }, { ...CORE, core: 3, siblings: "2-3" }];
  assertEquals(summaryOf(examine(facts)), "1 warning (core siblings)");
  facts.allowed = [2];
  facts.cores = [{ ...CORE }];
  assertEquals(summaryOf(examine(facts)), "1 warning (cores)");
});

Deno.test("examine() asks for a real-time priority only if chosen cores are not isolated", () => {
  const facts = healthyFacts();
  facts.texts.isolatedCores = "";
  assertEquals(
    summaryOf(examine(facts)),
    "2 warnings (isolated cores none, real-time priority none)",
  );
  const line = examine(facts).find(({ name }) => name === "real-time priority")!;
  assertEquals([line.found.includes("cores 2-3"), /LimitRTPRIO=50/.test(line.fix)], [true, true]);
  facts.limits.realtimePriority = 50;
  assertEquals(summaryOf(examine(facts)), "1 warning (isolated cores none)");
});

Deno.test("examine() leaves an unknown governor of a virtual machine to its host", () => {
  const facts = healthyFacts();
  facts.texts.processors = "flags\t: hypervisor\n";
  for (const core of facts.cores) core.governor = "";
  const line = examine(facts).find(({ name }) => name === "governor")!;
  assertEquals(
    summaryOf(examine(facts)),
    "2 warnings (governor unknown, virtual machine yes)",
  );
  assertEquals(line.fix, "it is the host's: ask who runs it for the governor performance");
});

Deno.test("examine() says what the kernel does not do, and the fix", () => {
  const ring = { verdict: "fail", fix: /\/dev\/shm/ } as const;
  checkCases([
    {
      spoil: ({ texts }) => texts.clockSource = "hpet",
      name: "clock source",
      verdict: "warn",
      found: /^hpet; publish times: tsc: /,
      fix: /clocksource=tsc/,
    },
    {
      spoil: (facts) => facts.tickSource = "monotonic",
      name: "clock source",
      verdict: "warn",
      found: /^tsc; publish times: monotonic: /,
      fix: /invtsc/,
    },
    {
      spoil: ({ probes }) => probes.membarrier = 38,
      name: "membarrier",
      verdict: "warn",
      found: /^refused \(errno 38\)/,
      fix: /Linux 4\.16.*seccomp/,
    },
    {
      spoil: ({ probes }) => probes.futexWaitv = 38,
      name: "futex_waitv",
      verdict: "warn",
      found: /^refused \(errno 38\)/,
      fix: /Linux 5\.16.*seccomp/,
    },
    {
      ...ring,
      spoil: ({ probes }) => probes.unnamedFile = 95,
      name: "unnamed files",
      found: /^O_TMPFILE fails for .*\(errno 95\)$/,
    },
    {
      ...ring,
      spoil: ({ probes }) => probes.allocate = 95,
      name: "allocation",
      found: /^fallocate fails .*95/,
    },
    {
      ...ring,
      spoil: ({ probes }) => probes.lock = 37,
      name: "file locks",
      found: /^F_OFD_SETLK fails .*37/,
    },
    {
      ...ring,
      spoil: ({ probes }) => probes.map = 12,
      name: "shared mappings",
      found: /^mmap fails .*12/,
    },
  ]);
});

Deno.test("examine() says which Deno and which permissions it runs with", () => {
  checkCases([
    {
      spoil: (facts) => facts.deno = "2.8.1",
      name: "Deno",
      verdict: "warn",
      found: /^2\.8\.1, older/,
      fix: /^deno upgrade$/,
    },
    {
      spoil: ({ permissions }) => permissions.ffi = "all",
      name: "permissions",
      verdict: "warn",
      found: /^ffi all: may load any library.*; read scoped; write scoped$/,
      fix: /--allow-ffi=/,
    },
  ]);
  for (const deno of ["2.9.0", "2.10.0-rc.1", "3.0.0"]) {
    assertEquals(summaryOf(examine({ ...healthyFacts(), deno })), "ok");
  }
});

Deno.test("Without its library the doctor says that, and fails", () => {
  const lines = examineWithoutLibrary(new NativeLibraryError("Cannot load it"), "2.9.6");
  assertEquals([worstOf(lines), summaryOf(lines)], ["fail", "1 failure (native library)"]);
  assertEquals(lines.at(-1)!.found, "Cannot load it");
});

Deno.test("Texts of the kernel are read as numbers, also such as make no sense", () => {
  assertEquals(parseCores("0-2,5\n"), [0, 1, 2, 5]);
  assertEquals(parseCores(""), []);
  assertEquals(sharesBetween("", ""), { steal: 0, busy: 0 });
  const [before, after] = ["cpu 10 0 10 60 20 0 0 0", "cpu 20 0 20 120 20 0 0 20"];
  assertEquals(sharesBetween(before, after), { steal: 0.2, busy: 0.4 });
  assertEquals(findMount("nonsense\n\n1 2 - \n", "/a"), undefined);
});
