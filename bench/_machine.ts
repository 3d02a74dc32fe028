/**
 * What the figures were measured on, and what makes them doubtful.
 *
 * @module
 */

import { allowedCores } from "../lib/native/affinity.ts";
import { readMachineText } from "../lib/native/machine.ts";
import { run } from "../scripts/_command.ts";
import { ROOT } from "../scripts/_zig.ts";
import { isVirtual } from "../scripts/doctor/cores.ts";
import {
  examine,
  type Facts,
  type Line,
  readFacts,
  summaryOf,
  type Verdict,
  worstOf,
} from "../scripts/doctor/mod.ts";
import { parseCores, sharesBetween } from "../scripts/doctor/processor.ts";

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
  /** What speaks against trusting the figures, beside what the doctor says. */
  warnings: string[];
  /** What `mt doctor` says of the machine, with the steal of the run; its lines that are not ok. */
  verdict: { verdict: Verdict; summary: string; lines: Line[] };
}

/** Returns two cores that share no execution units, or two that do, or none. */
export function chooseCores(): [number, number] | undefined {
  const [first, ...others] = allowedCores();
  if (first === undefined || others.length === 0) return undefined;
  const siblings = parseCores(readMachineText("siblings", first));
  return [first, others.find((core) => !siblings.includes(core)) ?? others[0]!];
}

/** What a benchmark runs on. */
export interface Place {
  /** The two cores that processes are pinned to; empty if there are no two. */
  coresUsed: readonly number[];
  /** Where logs are written; undefined for a directory of the benchmark's choice. */
  walDir: string | undefined;
}

/** Looks at the machine before and after `work`. */
export async function observe<Result>(
  { coresUsed, walDir }: Place,
  work: () => Promise<Result>,
): Promise<{ result: Result; machine: Machine }> {
  const loadBefore = Number(readMachineText("load").split(" ")[0]);
  const before = readMachineText("processorTime");
  const result = await work();
  const times: Facts["processorTimes"] = [before, readMachineText("processorTime")];
  const { steal, busy } = sharesBetween(...times);
  const facts = await readFacts({ cores: coresUsed, walDir }, times);
  const lines = examine(facts);
  const warnings = loadBefore > 0.5
    ? [`load average ${loadBefore} before the run: other programs take part`]
    : [];
  const machine: Machine = {
    ...await describe(facts),
    loadBefore,
    stealShare: steal,
    busyShare: busy,
    warnings,
    verdict: {
      verdict: worstOf(lines),
      summary: summaryOf(lines),
      lines: lines.filter(({ verdict }) => verdict !== "ok"),
    },
  };
  return { result, machine };
}

type Described = Omit<
  Machine,
  "loadBefore" | "stealShare" | "busyShare" | "warnings" | "verdict"
>;

async function describe(facts: Facts): Promise<Described> {
  const { texts, allowed, chosen, cores, tickSource, deno } = facts;
  const found = /^(?:model name|CPU part)\s*:\s*(.+)$/m.exec(texts.processors ?? "")?.[1];
  return {
    cpu: found ?? Deno.build.arch,
    cores: allowed,
    coresUsed: chosen,
    kernel: texts.kernelRelease ?? "",
    governor: cores[0]?.governor ?? "",
    isVirtual: isVirtual(facts),
    clock: tickSource,
    deno,
    commit: await readCommit(),
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

/** Returns the machine for people: one line, one for the doctor's verdict, one for each warning. */
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
  return [
    parts.join("; "),
    `machine: ${machine.verdict.summary} – mt doctor`,
    ...machine.warnings.map((text) => `warning: ${text}`),
  ].join("\n");
}
