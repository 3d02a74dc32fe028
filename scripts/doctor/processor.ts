/**
 * Texts of the kernel about processors, as numbers.
 *
 * @module
 */

/** `0-2,5` as numbers. */
export function parseCores(text: string): number[] {
  return text.trim().split(",").filter((part) => part !== "").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Processor time since the start of the machine, in the kernel's unit. */
interface ProcessorTime {
  total: number;
  idle: number;
  /** What the hypervisor gave to others while there was something to do here. */
  steal: number;
}

/** Reads the first line of `/proc/stat`, which is of all cores. */
function parseProcessorTime(text: string): ProcessorTime {
  // user nice system idle iowait irq softirq steal; guests' time is part of the first two.
  const times = text.split("\n")[0]!.split(/\s+/).slice(1, 9).map(Number);
  const [idle = 0, waiting = 0, steal = 0] = [times[3], times[4], times[7]];
  const total = times.reduce((sum, time) => sum + time, 0);
  return { total, idle: idle + waiting, steal };
}

/** Returns the share of the time between two readings that was stolen, and that was used. */
export function sharesBetween(before: string, after: string): { steal: number; busy: number } {
  const [first, last] = [parseProcessorTime(before), parseProcessorTime(after)];
  const total = last.total - first.total;
  const share = (value: number) => total <= 0 ? 0 : Math.round(1000 * value / total) / 1000;
  return { steal: share(last.steal - first.steal), busy: share(total - (last.idle - first.idle)) };
}
