/**
 * What the doctor says of the disk that logs and checkpoints go to.
 *
 * @module
 */

import { formatBytes, formatNs } from "../_table.ts";
import type { Facts, Place } from "./facts.ts";
import { type Line, Lines } from "./line.ts";
import { findMount } from "./mounts.ts";

/** A segment that is written and one that is prepared, of the default size. */
const LOG_BYTES = 128 * 2 ** 20;
/** Below that a disk is soon full. */
const ROOM_BYTES = 2 ** 30;
/** Faster than the fastest disks answer: the sync has not reached one. */
const IMPLAUSIBLE_NS = 10_000;
/** Slower than any solid-state disk: an acknowledgement waits for it. */
const SLOW_P50_NS = 5e6;
const SLOW_P99_NS = 20e6;

/** Returns the lines about the directory of logs; none if no directory was named. */
export function examineDisk(facts: Facts): Line[] {
  const lines = new Lines("disk");
  const { logs } = facts;
  if (logs === undefined) return [];
  const { path, exists, fault } = logs;
  if (fault !== "") lines.fail("log directory", fault, `make it this user's: chmod 700 ${path}`);
  else if (exists) lines.ok("log directory", path);
  else lines.warn("log directory", `${path} is not there`, `mkdir -p -m 700 ${path}`);
  examineFileSystem(facts, logs, lines);
  examineSpace(logs, lines);
  examineSync(facts, lines);
  return lines.lines;
}

function examineFileSystem({ texts }: Facts, { path, fileSystem }: Place, lines: Lines): void {
  const { kind, isUnsupported } = fileSystem;
  const mount = findMount(texts.mounts ?? "", path);
  const found = kind + (mount === undefined ? "" : ` (${mount.device})`);
  const local = "name a directory on a local disk with --wal-dir";
  if (isUnsupported) {
    lines.fail("log file system", `${found}, whose locks and syncs are not one host's`, local);
  } else if (kind === "tmpfs" || kind === "ramfs") {
    lines.fail("log file system", `${found} is memory: a sync does nothing`, local);
  } else if (kind === "overlay") {
    lines.warn(
      "log file system",
      `${found}: goes with the container`,
      "mount a volume for logs: docker run -v logs:/var/lib/mt, a PersistentVolume in Kubernetes",
    );
  } else lines.ok("log file system", found);
}

function examineSpace({ fileSystem }: Place, lines: Lines): void {
  const { availableBytes, freeBytes, bytes, files, filesFree } = fileSystem;
  const kept = freeBytes - availableBytes;
  const found = `${formatBytes(availableBytes)} of ${formatBytes(bytes)} free` +
    (kept > 0 ? ` (and ${formatBytes(kept)} for root only)` : "");
  const fix = "make room, or cap logs with maxBytes and take checkpoints, which let them be cut";
  if (files > 0 && filesFree === 0) {
    lines.fail("disk space", "no file can be made: all inodes are used", "remove files there");
  } else if (availableBytes < LOG_BYTES) lines.fail("disk space", found, fix);
  else if (availableBytes < ROOM_BYTES || availableBytes < bytes / 20) {
    lines.warn("disk space", found, fix);
  } else lines.ok("disk space", found);
}

function examineSync({ syncTimes, syncFault }: Facts, lines: Lines): void {
  if (syncFault !== "") {
    return lines.fail("sync time", syncFault, "let this user write there, or mend the disk");
  }
  if (syncTimes === undefined) return;
  const { count, p50Ns, p99Ns } = syncTimes;
  const found = `fdatasync of a page: p50 ${formatNs(p50Ns)}, p99 ${formatNs(p99Ns)} (${count})`;
  if (p50Ns < IMPLAUSIBLE_NS) {
    lines.warn(
      "sync time",
      `${found}: too fast for a disk`,
      "ask who runs the host whether syncs are ignored (cache=unsafe of a virtual disk, " +
        "libeatmydata, nobarrier): then a power cut loses what was acknowledged",
    );
  } else if (p50Ns > SLOW_P50_NS || p99Ns > SLOW_P99_NS) {
    lines.warn(
      "sync time",
      `${found}: acknowledgements of "disk" wait for it`,
      "use a solid-state disk with power-loss protection, for logs alone; look at iostat -x",
    );
  } else lines.ok("sync time", found);
}
