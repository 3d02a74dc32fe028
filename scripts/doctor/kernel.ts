/**
 * What the doctor says of the kernel: its clock, and the calls that channels are built on.
 *
 * @module
 */

import type { Facts } from "./facts.ts";
import { type Line, Lines } from "./line.ts";

/** Clock sources that are read without a system call. */
const QUICK_CLOCKS = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];

/** Returns the lines about the kernel. */
export function examineKernel(facts: Facts): Line[] {
  const lines = new Lines("kernel");
  examineClock(facts, lines);
  const { probes, rings, texts } = facts;
  const kernel = `Linux ${texts.kernelRelease || "of an unknown release"}`;
  const newer = (release: string) =>
    `use Linux ${release} or newer; in a container, let its seccomp profile allow the call`;
  const filesystem = `keep rings in /dev/shm (tmpfs), where this user may write`;
  if (probes.membarrier === 0) lines.ok("membarrier", kernel);
  else {
    lines.warn(
      "membarrier",
      `refused (errno ${probes.membarrier}): each message costs a fence instead`,
      newer("4.16"),
    );
  }
  if (probes.futexWaitv === 0) lines.ok("futex_waitv", kernel);
  else {
    lines.warn(
      "futex_waitv",
      `refused (errno ${probes.futexWaitv}): asynchronous consumers look now and then instead`,
      newer("5.16"),
    );
  }
  const needed = [
    ["unnamed files", probes.unnamedFile, "O_TMPFILE"],
    ["allocation", probes.allocate, "fallocate"],
    ["file locks", probes.lock, "F_OFD_SETLK"],
    ["shared mappings", probes.map, "mmap"],
  ] as const;
  for (const [name, errno, call] of needed) {
    if (errno === 0) lines.ok(name, `${call} works where rings lie`);
    else {
      lines.fail(name, `${call} fails for ${rings.path} (errno ${errno})`, filesystem);
      if (name === "unnamed files") break; // The rest is tried on one.
    }
  }
  return lines.lines;
}

function examineClock({ texts, tickSource }: Facts, lines: Lines): void {
  const source = texts.clockSource || "unknown";
  const found = `${source}; publish times: ${tickSource}`;
  if (!QUICK_CLOCKS.includes(source)) {
    lines.warn(
      "clock source",
      `${found}: reading the time is a system call, or slower`,
      "see in dmesg why tsc was given up; where the processor's is sound, boot with " +
        "clocksource=tsc tsc=reliable",
    );
  } else if (tickSource === "monotonic") {
    lines.warn(
      "clock source",
      `${found}: the processor has no tick clock that all its cores share`,
      "let the hypervisor show an invariant TSC (-cpu host,+invtsc)",
    );
  } else lines.ok("clock source", found);
}
