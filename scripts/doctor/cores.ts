/**
 * What the doctor says of the cores that threads of channels run on.
 *
 * @module
 */

import { CAPABILITIES, hasCapability } from "./capabilities.ts";
import type { Facts } from "./facts.ts";
import { type Line, Lines } from "./line.ts";
import { parseCores, sharesBetween } from "./processor.ts";

/** More than that shows in the slowest of a hundred messages. */
const STEAL_MAX = 0.01;
/** A core that sleeps deeper wakes up later than a message takes. */
const IDLE_LATENCY_MAX_US = 10;

/** Returns the lines about cores. */
export function examineCores(facts: Facts): Line[] {
  const lines = new Lines("cores");
  examineAllowed(facts, lines);
  examineSiblings(facts, lines);
  examineIsolation(facts, lines);
  examineGovernor(facts, lines);
  examineIdleStates(facts, lines);
  examineQuota(facts, lines);
  examineSteal(facts, lines);
  examineRealtime(facts, lines);
  examineHypervisor(facts, lines);
  return lines.lines;
}

/** Whether a hypervisor runs below, as far as the processor tells. */
export function isVirtual({ texts }: Facts): boolean {
  return /^flags\s*:.*\bhypervisor\b/m.test(texts.processors ?? "");
}

function examineAllowed({ allowed, chosen }: Facts, lines: Lines): void {
  const shown = formatCores(allowed);
  const missing = chosen.filter((core) => !allowed.includes(core));
  if (missing.length > 0) {
    lines.fail(
      "cores",
      `${formatCores(missing)} may not be used: this process has ${shown}`,
      "choose others with --cores, or allow them: taskset, AllowedCPUs= of a systemd unit, " +
        "docker run --cpuset-cpus",
    );
  } else if (allowed.length < 2) {
    lines.warn(
      "cores",
      `${shown} alone: processes that spin wait for each other's time slice to end`,
      'give it two cores or more, or use the wait strategy "park"',
    );
  } else lines.ok("cores", chosen.length > 0 ? `${formatCores(chosen)}; allowed: ${shown}` : shown);
}

function examineSiblings({ cores, chosen }: Facts, lines: Lines): void {
  const name = "core siblings";
  const groups = cores.map(({ core, siblings }) => ({ core, others: othersOf(core, siblings) }));
  const numbers = groups.map(({ core }) => core);
  if (chosen.length === 0) {
    const isOneCore = groups.length > 1 &&
      numbers.every((core) => core === numbers[0] || groups[0]!.others.includes(core));
    if (!isOneCore) return lines.ok(name, "there are cores that share no execution units");
    return lines.warn(
      name,
      `${formatCores(numbers)} are threads of one core`,
      "give the process threads of two cores: threads of one take turns",
    );
  }
  const both = groups.find(({ others }) => others.some((other) => numbers.includes(other)));
  if (both !== undefined) {
    const pair = [both.core, ...both.others.filter((other) => numbers.includes(other))];
    return lines.warn(
      name,
      `${formatCores(pair)} are threads of one core`,
      "choose threads of different cores with --cores: /sys/devices/system/cpu/cpu*/topology/" +
        "thread_siblings_list",
    );
  }
  const shared = groups.filter(({ others }) => others.length > 0);
  if (shared.length === 0) return lines.ok(name, "none: no other thread shares a chosen core");
  const others = shared.flatMap(({ others }) => others);
  lines.warn(
    name,
    `other threads of chosen cores: ${formatCores(others)}`,
    `keep them free, or take them off: ${
      others.map((core) => `echo 0 > /sys/devices/system/cpu/cpu${core}/online`).join("; ")
    }`,
  );
}

function othersOf(core: number, siblings: string): number[] {
  return parseCores(siblings).filter((other) => other !== core);
}

function examineIsolation({ texts, chosen }: Facts, lines: Lines): void {
  const isolated = parseCores(texts.isolatedCores ?? "");
  const tickless = parseCores(texts.ticklessCores ?? "");
  const found = isolated.length === 0 ? "none" : formatCores(isolated);
  if (chosen.length === 0) return lines.ok("isolated cores", found);
  const exposed = chosen.filter((core) => !isolated.includes(core) || !tickless.includes(core));
  if (exposed.length === 0) return lines.ok("isolated cores", found);
  const list = chosen.join(",");
  lines.warn(
    "isolated cores",
    `${found}; the kernel puts other work on ${formatCores(exposed)}`,
    `boot with isolcpus=${list} nohz_full=${list} rcu_nocbs=${list}`,
  );
}

function examineGovernor(facts: Facts, lines: Lines): void {
  const governors = [...new Set(facts.cores.map(({ governor }) => governor))];
  const slow = governors.filter((governor) => governor !== "performance");
  if (slow.length === 0) return lines.ok("governor", "performance");
  const found = slow.map((governor) => governor || "unknown").join(", ");
  if (slow.every((governor) => governor === "")) {
    return lines.warn(
      "governor",
      `${found}: the kernel does not tell`,
      isVirtual(facts)
        ? "it is the host's: ask who runs it for the governor performance"
        : "set the machine to full performance in its firmware, or load a cpufreq driver",
    );
  }
  lines.warn(
    "governor",
    `${found}: the clock rate changes under way`,
    "cpupower frequency-set -g performance",
  );
}

function examineIdleStates(facts: Facts, lines: Lines): void {
  const states = facts.cores.flatMap(({ idleStates }) => idleStates)
    .filter(({ disabled }) => disabled !== "1")
    .map(({ name, latency }) => ({ name, latencyUs: Number(latency) }));
  const driver = facts.texts.idleDriver || "none";
  if (states.length === 0) return lines.ok("idle states", `the kernel tells none (${driver})`);
  const deepest = states.reduce((a, b) => a.latencyUs >= b.latencyUs ? a : b);
  const found = `${deepest.name}, ${deepest.latencyUs} µs to wake up (${driver})`;
  if (deepest.latencyUs <= IDLE_LATENCY_MAX_US) return lines.ok("idle states", found);
  lines.warn(
    "idle states",
    `${found}: a core that slept is late`,
    `cpupower idle-set -D ${IDLE_LATENCY_MAX_US}, or boot with intel_idle.max_cstate=1 ` +
      "processor.max_cstate=1",
  );
}

function examineQuota({ cgroups }: Facts, lines: Lines): void {
  // Version 2: "max 100000" or "<quota> <period>"; version 1: the quota alone, -1 for none.
  const limited = cgroups.map(({ processorMax }) => processorMax)
    .find((text) => /^\d/.test(text));
  if (limited === undefined) return lines.ok("processor quota", "none");
  const [quota = 0, period = 100_000] = limited.split(/\s+/).map(Number);
  lines.warn(
    "processor quota",
    `${quota / 1000} ms of every ${period / 1000} ms: then all threads stand still`,
    "give whole cores instead: docker run --cpuset-cpus, CPUQuota= left out, the static policy " +
      "of Kubernetes' CPU manager",
  );
}

function examineSteal({ processorTimes }: Facts, lines: Lines): void {
  const { steal } = sharesBetween(...processorTimes);
  const found = `${Number((steal * 100).toFixed(1))} %`;
  if (steal <= STEAL_MAX) return lines.ok("steal time", found);
  lines.warn(
    "steal time",
    `${found}: the host ran others meanwhile`,
    "move to a machine with cores of its own (dedicated instance, pinned vCPUs)",
  );
}

function examineRealtime(facts: Facts, lines: Lines): void {
  const { limits, texts, chosen } = facts;
  const isolated = parseCores(texts.isolatedCores ?? "");
  const priority = hasCapability(facts, CAPABILITIES.nice) ? 99 : limits.realtimePriority;
  if (priority > 0) return lines.ok("real-time priority", `up to ${priority}`);
  if (chosen.every((core) => isolated.includes(core))) {
    return lines.ok("real-time priority", "none, and none is needed");
  }
  lines.warn(
    "real-time priority",
    `none: other programs interrupt threads on ${formatCores(chosen)}`,
    "isolate the cores, or allow chrt -f: LimitRTPRIO=50 of a systemd unit, " +
      '"rtprio" in /etc/security/limits.conf',
  );
}

function examineHypervisor(facts: Facts, lines: Lines): void {
  if (!isVirtual(facts)) return lines.ok("virtual machine", "no");
  lines.warn(
    "virtual machine",
    "yes: others may share its cores and caches unseen",
    "measure tail latencies on bare metal, or on a dedicated host",
  );
}

/** `core 1`, `cores 0 and 1`, `cores 0-3`: as short as it gets. */
function formatCores(cores: readonly number[]): string {
  const sorted = [...new Set(cores)].toSorted((a, b) => a - b);
  const ranges: [first: number, last: number][] = [];
  for (const core of sorted) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === core - 1) range[1] = core;
    else ranges.push([core, core]);
  }
  const list = ranges.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`);
  return `${sorted.length === 1 ? "core" : "cores"} ${list.join(",")}`;
}
