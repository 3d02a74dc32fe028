/**
 * What the figures were measured on, and what makes them doubtful.
 *
 * @module
 */

import { run } from "../scripts/_command.ts";
import { ROOT } from "../scripts/_zig.ts";
import { tickClock } from "../mod.ts";

/** The machine and its state during one benchmark. */
export interface Machine {
  /** Model of the processor. */
  cpu: string;
  /** Cores that this process may run on. */
  cores: number[];
  /** The two that processes were pinned to; empty if there are no two. */
  coresUsed: number[];
  /** Release of the kernel. */
  kernel: string;
  /** Frequency governor; empty if the kernel does not tell, as in most virtual machines. */
  governor: string;
  /** Whether a hypervisor runs below. */
  isVirtual: boolean;
  /** Clock that rounds are timed with. */
  clock: string;
  /** Processes that wanted to run in the minute before: 0 on a quiet machine. */
  loadBefore: number;
  /** Share of the processor time that the hypervisor gave to others meanwhile, 0 to 1. */
  stealShare: number;
  /** Share of the processor time that was used meanwhile, by the benchmark or not, 0 to 1. */
  busyShare: number;
  /** Version of Deno. */
  deno: string;
  /** Commit of the checkout, with a `+` if files differ from it; empty without git. */
  commit: string;
  /** What speaks against trusting the figures. */
  warnings: string[];
}

/** Reads a file of /proc or /sys, which Deno itself opens only with all permissions. */
async function read(path: string): Promise<string> {
  const { code, stdout } = await run("cat", [path]);
  return code === 0 ? stdout.trim() : "";
}

/** `0-2,5` as numbers. */
function parseList(text: string): number[] {
  return text.split(",").filter((part) => part !== "").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Cores that this process may run on. */
async function readCores(): Promise<number[]> {
  const status = await read("/proc/self/status"); // The affinity of `cat` is ours.
  return parseList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "0");
}

/** Returns two cores that share no execution units, or two that do, or none. */
export async function chooseCores(): Promise<[number, number] | undefined> {
  const cores = await readCores();
  const [first, ...others] = cores;
  if (first === undefined || others.length === 0) return undefined;
  const siblings = await readSiblings(first);
  return [first, others.find((core) => !siblings.includes(core)) ?? others[0]!];
}

async function readSiblings(core: number): Promise<number[]> {
  return parseList(
    await read(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`),
  );
}

/** Processor time since the start of the machine, in its own unit. */
interface ProcessorTime {
  total: number;
  idle: number;
  steal: number;
}

async function readProcessorTime(): Promise<ProcessorTime> {
  // user nice system idle iowait irq softirq steal; guests' time is part of the first two.
  const times = (await read("/proc/stat")).split("\n")[0]!.split(/\s+/).slice(1, 9).map(Number);
  const [idle = 0, waiting = 0, steal = 0] = [times[3], times[4], times[7]];
  const total = times.reduce((sum, time) => sum + time, 0);
  return { total, idle: idle + waiting, steal };
}

/** Looks at the machine before and after `work`. */
export async function observe<Result>(
  coresUsed: readonly number[],
  work: () => Promise<Result>,
): Promise<{ result: Result; machine: Machine }> {
  const loadBefore = Number((await read("/proc/loadavg")).split(" ")[0]);
  const before = await readProcessorTime();
  const result = await work();
  const after = await readProcessorTime();
  const total = Math.max(1, after.total - before.total);
  const share = (value: number) => Math.round(1000 * value / total) / 1000;
  const stealShare = share(after.steal - before.steal);
  const busyShare = share(total - (after.idle - before.idle));
  const facts = await readFacts(coresUsed);
  const warnings = [...facts.warnings];
  if (loadBefore > 0.5) {
    warnings.push(`load average ${loadBefore} before the run: other programs take part`);
  }
  if (stealShare > 0.002) {
    warnings.push(`the hypervisor gave ${(stealShare * 100).toFixed(1)} % of the time to others`);
  }
  return { result, machine: { ...facts, loadBefore, stealShare, busyShare, warnings } };
}

type Facts = Omit<Machine, "loadBefore" | "stealShare" | "busyShare">;

async function readFacts(coresUsed: readonly number[]): Promise<Facts> {
  const cpuinfo = await read("/proc/cpuinfo");
  const cpu = /^(?:model name|CPU part)\s*:\s*(.+)$/m.exec(cpuinfo)?.[1] ?? Deno.build.arch;
  const cores = await readCores();
  const governor = await read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  const isVirtual = /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo);
  const clock = tickClock().source;
  const warnings: string[] = [];
  if (coresUsed.length === 0) {
    warnings.push("one core: processes that spin wait for each other's time slice to end");
  } else if ((await readSiblings(coresUsed[0]!)).includes(coresUsed[1]!)) {
    warnings.push(`cores ${coresUsed.join(" and ")} are threads of one core`);
  }
  if (governor !== "" && governor !== "performance") {
    warnings.push(`frequency governor "${governor}": the clock rate changes under way`);
  }
  if (isVirtual) warnings.push("virtual machine: others may share its cores and caches unseen");
  if (clock === "monotonic") warnings.push("no tick clock of the processor: rounds are coarse");
  return {
    cpu,
    cores,
    coresUsed: [...coresUsed],
    kernel: await read("/proc/sys/kernel/osrelease"),
    governor,
    isVirtual,
    clock,
    deno: Deno.version.deno,
    commit: await readCommit(),
    warnings,
  };
}

async function readCommit(): Promise<string> {
  try {
    const head = await run("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT });
    const status = await run("git", ["status", "--porcelain"], { cwd: ROOT });
    return head.code === 0 ? head.stdout.trim() + (status.stdout === "" ? "" : "+") : "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Returns the machine for people: one line, and one for each warning. */
export function formatMachine(machine: Machine): string {
  const { cpu, cores, coresUsed, kernel, governor, clock, loadBefore, busyShare, deno } = machine;
  const parts = [
    `${cpu}, ${cores.length} cores` + (coresUsed.length > 0 ? ` (${coresUsed.join(", ")})` : ""),
    machine.isVirtual ? "virtual" : "bare metal",
    `Linux ${kernel}`,
    `governor ${governor || "unknown"}`,
    `clock ${clock}`,
    `Deno ${deno}`,
    `load before ${loadBefore}`,
    `busy ${(busyShare * 100).toFixed(0)} %`,
    `steal ${(machine.stealShare * 100).toFixed(1)} %`,
    ...(machine.commit === "" ? [] : [`commit ${machine.commit}`]),
  ];
  return [parts.join("; "), ...machine.warnings.map((text) => `warning: ${text}`)].join("\n");
}
