/**
 * What the doctor says of memory: room for rings, and what may take it away.
 *
 * @module
 */

import { formatBytes, formatCount } from "../_table.ts";
import { CAPABILITIES, hasCapability } from "./capabilities.ts";
import type { Facts } from "./facts.ts";
import { type Line, Lines } from "./line.ts";

/** A ring of the default size, with its header rounded up. */
const RING_BYTES = 9 * 2 ** 20;
/** Room for the pipeline's channels, and some. */
const ROOM_BYTES = 128 * 2 ** 20;

/** Mappings and descriptors that an open channel costs its process; a test measures both. */
export const CHANNEL_COST = { mappings: 2, files: 1 };
/** What it costs beside that to write a channel's log: threads, and files of the log. */
export const LOG_COST = { mappings: 9, files: 5 };
/** Where many channels come near a limit. */
const CHANNELS_MIN = 256;
/** What Deno and its libraries have mapped and open beside channels, rounded up. */
const OWN_MAPPINGS = 1500;
const OWN_FILES = 64;

const SHM_FIX = "give it more room: docker run --shm-size=1g; in Kubernetes mount an emptyDir of " +
  "medium: Memory at /dev/shm; on a host: mount -o remount,size=2G /dev/shm";

/** Returns the lines about memory. */
export function examineMemory(facts: Facts): Line[] {
  const lines = new Lines("memory");
  examineRings(facts, lines);
  examineCgroup(facts, lines);
  examineLocking(facts, lines);
  examineLogind(facts, lines);
  examineHugePages(facts, lines);
  examineBudget(facts, lines);
  return lines.lines;
}

function examineRings({ rings }: Facts, lines: Lines): void {
  const { path, exists, fault, fileSystem } = rings;
  const { kind, isUnsupported, availableBytes, freeBytes, bytes, files, filesFree } = fileSystem;
  const where = exists ? path : `${path} (made when a channel is)`;
  if (fault === "") lines.ok("ring directory", where);
  else lines.fail("ring directory", fault, `make it this user's alone: chmod 700 ${path}`);
  const elsewhere = "keep rings in /dev/shm (tmpfs): name no other --directory";
  if (isUnsupported) {
    lines.fail(
      "ring file system",
      `${kind}, whose mappings and locks are not one host's`,
      elsewhere,
    );
  } else if (kind === "tmpfs" || kind === "ramfs") lines.ok("ring file system", kind);
  else lines.warn("ring file system", `${kind}: rings are written to a disk`, elsewhere);
  const kept = freeBytes - availableBytes;
  const found = `${formatBytes(availableBytes)} of ${formatBytes(bytes)} free` +
    (kept > 0 ? ` (and ${formatBytes(kept)} for root only)` : "");
  if (files > 0 && filesFree === 0) {
    lines.fail("ring space", "no file can be made: all inodes are used", "remove files there");
  } else if (availableBytes < RING_BYTES) lines.fail("ring space", found, SHM_FIX);
  else if (availableBytes < ROOM_BYTES) lines.warn("ring space", found, SHM_FIX);
  else lines.ok("ring space", found);
}

function examineCgroup({ cgroups }: Facts, lines: Lines): void {
  const limits = cgroups.map(({ memoryMax, memoryUsed }) => ({
    max: memoryMax === "" || memoryMax === "max" ? Infinity : Number(memoryMax),
    used: Number(memoryUsed),
  })).filter(({ max }) => max < 2 ** 60); // Version 1 has a number near 2^63 for no limit.
  if (limits.length === 0) return lines.ok("cgroup memory", "no limit");
  const { max, used } = limits.reduce((a, b) => a.max - a.used <= b.max - b.used ? a : b);
  const room = Math.max(0, max - used);
  const found = `${formatBytes(room)} left of ${formatBytes(max)}, which rings count against`;
  const fix = "raise the limit: docker run --memory=2g, resources.limits.memory in Kubernetes, " +
    "MemoryMax= of a systemd unit";
  if (room < RING_BYTES) lines.fail("cgroup memory", found, fix);
  else if (room < ROOM_BYTES) lines.warn("cgroup memory", found, fix);
  else lines.ok("cgroup memory", found);
}

function examineLocking(facts: Facts, lines: Lines): void {
  const { lockedBytes } = facts.limits;
  if (hasCapability(facts, CAPABILITIES.lock) || lockedBytes === Infinity) {
    return lines.ok("memory lock", "no limit");
  }
  const found = `${formatBytes(lockedBytes)} may be locked`;
  if (lockedBytes >= ROOM_BYTES) return lines.ok("memory lock", found);
  lines.warn(
    "memory lock",
    `${found}: little for channels with "lock"`,
    'raise it: LimitMEMLOCK=infinity of a systemd unit, "memlock" in /etc/security/limits.conf, ' +
      "docker run --ulimit memlock=-1",
  );
}

/** Users above this are people's; systemd spares the things of those below. */
const SYSTEM_USER_MAX = 999;

function examineLogind({ logind, limits, rings }: Facts, lines: Lines): void {
  const { isRunning, settings, lingers } = logind;
  const value = [...settings.matchAll(/^\s*RemoveIPC\s*=\s*(\S+)/gim)].at(-1)?.[1] ?? "yes";
  const isOn = !/^(no|n|false|f|0|off)$/i.test(value);
  if (!isRunning) return lines.ok("RemoveIPC", "systemd does not run here");
  if (limits.user <= SYSTEM_USER_MAX) return lines.ok("RemoveIPC", "spares users of the system");
  if (lingers) return lines.ok("RemoveIPC", "this user lingers, so nothing is removed");
  const linger = "loginctl enable-linger <user>";
  if (rings.path.startsWith("/run/user/")) {
    lines.warn(
      "RemoveIPC",
      `rings in ${rings.path} go when this user's last session ends`,
      `keep them: ${linger}; or run services as a system user`,
    );
  } else if (isOn && rings.path.startsWith("/dev/shm")) {
    lines.warn(
      "RemoveIPC",
      "yes: rings go when this user's last session ends",
      `set RemoveIPC=no in /etc/systemd/logind.conf, or ${linger}`,
    );
  } else lines.ok("RemoveIPC", isOn ? "yes, but rings lie elsewhere" : "no");
}

function examineHugePages({ texts }: Facts, lines: Lines): void {
  const chosen = (text = "") => /\[(\w+)\]/.exec(text)?.[1] ?? "unknown";
  const general = chosen(texts.hugePages);
  const shared = chosen(texts.hugePagesShared);
  const found = `${general}; shared memory: ${shared}` +
    (shared === "never" || shared === "deny" ? ' (the option "hugePages" does nothing)' : "");
  if (general !== "always") return lines.ok("huge pages", found);
  lines.warn(
    "huge pages",
    `${found}: the kernel stops processes to make room for them`,
    "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
  );
}

function examineBudget({ texts, limits }: Facts, lines: Lines): void {
  const mappings = Number(texts.mappingsMax || Infinity) - OWN_MAPPINGS;
  const files = limits.files - OWN_FILES;
  const budgets = [
    ["mappings", mappings, "mappings", "sysctl vm.max_map_count=262144"],
    ["descriptors", files, "files", "ulimit -n 65536; LimitNOFILE= of a systemd unit"],
  ] as const;
  for (const [name, left, cost, fix] of budgets) {
    const plain = Math.floor(left / CHANNEL_COST[cost]);
    const logged = Math.floor(left / (CHANNEL_COST[cost] + LOG_COST[cost]));
    const found = plain === Infinity
      ? "no limit"
      : `enough for ${formatCount(Math.max(0, plain))} channels in a process, or ` +
        `${formatCount(Math.max(0, logged))} whose logs it writes`;
    if (logged < CHANNELS_MIN) lines.warn(name, found, `raise it: ${fix}`);
    else lines.ok(name, found);
  }
}
