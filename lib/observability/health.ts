/**
 * Whether what was seen is well, and if not, why and what to do: a pure function of one look.
 *
 * @module
 */

import type { ServiceCounters } from "./counters.ts";
import type { DiskSpace } from "./disk_space.ts";
import { isReadable, type Look, peerName, type WatchedChannel } from "./watch.ts";

/** How the process stands that answers for the health of it all. */
export interface OwnState {
  /** `starting`: it recovers, perhaps. `failed`: it only has to end. */
  state: "starting" | "running" | "stopping" | "failed";
  /** Of a failure: its text. */
  error?: string;
}

/** What health is judged by. */
export interface Findings {
  look: Look;
  /** As `readDiskSpace` returns it. Default: none, and nothing is said about disks. */
  disks?: readonly DiskSpace[];
  /** Default: it runs. */
  own?: OwnState;
}

/** From where on something is a reason. */
export interface HealthLimits {
  /** Milliseconds that a consumer may be behind and not move. Default: 10 000. */
  stalledMs?: number;
  /** Part of a ring that may be in use. Default: 0.9. */
  fullShare?: number;
  /** Part of a ring that may wait for its log. Default: 0.5. */
  logBehindShare?: number;
  /** Requests that an engine may have before it. Default: 10 000. */
  engineLagRequests?: number;
  /** Free bytes of a log's file system below which it is `degraded`. Default: 1 GiB. */
  diskLowBytes?: number;
  /** Free bytes of a log's file system below which it is `failing`. Default: 128 MiB. */
  diskCriticalBytes?: number;
}

/** The limits that hold where none are given. */
export const HEALTH_LIMITS: Readonly<Required<HealthLimits>> = {
  stalledMs: 10_000, // Longer than a collection of garbage, a start, a checkpoint.
  fullShare: 0.9, // Producers wait at 1; a burst has some room until then.
  logBehindShare: 0.5,
  engineLagRequests: 10_000, // Arbitrary: more than a burst of a second.
  diskLowBytes: 2 ** 30, // Sixteen segments of the usual size.
  diskCriticalBytes: 2 ** 27, // Two of them.
};

/** What is wrong, as a word for programs. Each has a section in docs/metrics.md. */
export type ReasonCode =
  | "process_starting"
  | "process_stopping"
  | "process_failed"
  | "channel_unreadable"
  | "channel_full"
  | "log_absent"
  | "log_failed"
  | "log_full"
  | "log_behind"
  | "disk_low"
  | "consumer_stalled"
  | "consumer_dead"
  | "service_dead"
  | "engine_behind";

/** Why something is not well. */
export interface HealthReason {
  code: ReasonCode;
  /** `failing`: it does not do its work. `degraded`: it does, but look at it. */
  severity: "degraded" | "failing";
  /** What it is about: a channel, a consumer as `<channel>/<name>`, a directory, this process. */
  subject: string;
  /** What was found. */
  text: string;
  /** What to do. */
  action: string;
}

/** How it all stands. */
export interface Health {
  /** The worst of the reasons; `ok` without one. */
  status: "ok" | "degraded" | "failing";
  /** Whether it can do its work now: nothing is `failing`. */
  isReady: boolean;
  /** Whether a restart of this process is not called for. */
  isLive: boolean;
  /** The worst first. */
  reasons: HealthReason[];
}

/**
 * Judges what was seen.
 *
 * A channel without a living participant is at rest: nobody has to write its log, or read.
 *
 * @example A channel at rest
 * ```ts
 * import { assess, Watch } from "message_transport/observability";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = Deno.makeTempDirSync();
 * const health = assess({ look: new Watch({ directory }).look() });
 * assertEquals(health, { status: "ok", isReady: true, isLive: true, reasons: [] });
 * Deno.removeSync(directory);
 * ```
 */
export function assess(
  { look, disks = [], own = { state: "running" } }: Findings,
  limits: HealthLimits = {},
): Health {
  const bounds = { ...HEALTH_LIMITS, ...limits };
  const reasons = [
    ...ownReasons(own),
    ...look.channels.flatMap((channel) =>
      isReadable(channel)
        ? [
          ...logReasons(channel, bounds),
          ...consumerReasons(channel, bounds),
          ...fullReasons(channel, bounds),
        ]
        : [reason("channel_unreadable", "degraded", channel.name, {
          text: channel.error,
          action: `look at it: mt inspect ${channel.bufferFile}`,
        })]
    ),
    ...look.services.flatMap((service) => serviceReasons(service, bounds)),
    ...disks.flatMap((disk) => diskReasons(disk, bounds)),
  ];
  const failing = reasons.filter(({ severity }) => severity === "failing");
  const degraded = reasons.filter(({ severity }) => severity === "degraded");
  return {
    status: failing.length > 0 ? "failing" : degraded.length > 0 ? "degraded" : "ok",
    isReady: failing.length === 0,
    isLive: own.state !== "failed",
    reasons: [...failing, ...degraded],
  };
}

type Bounds = Required<HealthLimits>;

function reason(
  code: ReasonCode,
  severity: HealthReason["severity"],
  subject: string,
  words: { text: string; action: string },
): HealthReason {
  return { code, severity, subject, ...words };
}

function ownReasons({ state, error }: OwnState): HealthReason[] {
  const failing = (code: ReasonCode, text: string, action: string) => [
    reason(code, "failing", "this process", { text, action }),
  ];
  switch (state) {
    case "running":
      return [];
    case "starting":
      return failing("process_starting", "it starts, and may have to recover", "wait");
    case "stopping":
      return failing("process_stopping", "it was told to end", "use another one");
    case "failed":
      return failing("process_failed", error ?? "it has failed", "restart it");
  }
}

/** Who takes part and lives, the log's own consumer aside. */
function hasLiving({ producers, consumers }: WatchedChannel): boolean {
  return producers.some(({ state }) => state === "alive") ||
    consumers.some(({ state, onSlow }) => state === "alive" && onSlow !== "hold");
}

function logReasons(channel: WatchedChannel, bounds: Bounds): HealthReason[] {
  const { log, name, messages } = channel;
  if (log === null) return [];
  const waiting = `${Math.max(0, messages - log.durable)} messages are not durable`;
  switch (log.state) {
    case "failed": {
      const found = log.fault === undefined ? `operating system error ${log.errno}` : log.fault;
      return [reason("log_failed", "failing", name, {
        text: `its log was closed for good: found ${found}; ${waiting}`,
        action: "see docs/operations.md, A disk that fails",
      })];
    }
    case "full":
      return [reason("log_full", "failing", name, {
        text: `its log has no room: ${waiting}`,
        action: "see docs/operations.md, Disk full",
      })];
    case "absent":
      if (!hasLiving(channel)) return [];
      return [reason("log_absent", "failing", name, {
        text: `nobody writes its log: ${waiting}`,
        action: "start who creates the channel, or mt persist",
      })];
    case "running":
      return behindReasons(channel, waiting, bounds);
  }
}

function behindReasons(
  { name, sizeBytes, consumers }: WatchedChannel,
  waiting: string,
  { stalledMs, logBehindShare }: Bounds,
): HealthReason[] {
  const persister = consumers.find(({ onSlow }) => onSlow === "hold");
  if (persister === undefined) return [];
  const isStalled = persister.stalledMs >= stalledMs;
  if (!isStalled && persister.lagBytes < logBehindShare * sizeBytes) return [];
  const standing = isStalled ? `, and for ${seconds(persister.stalledMs)} none was written` : "";
  return [reason("log_behind", isStalled ? "failing" : "degraded", name, {
    text: `its log is behind: ${waiting}${standing}`,
    action: "look at the disk: the time of its syncs, and what else it writes",
  })];
}

function consumerReasons(channel: WatchedChannel, { stalledMs }: Bounds): HealthReason[] {
  const others = channel.consumers.filter(({ onSlow }) => onSlow !== "hold");
  return others.flatMap((consumer) => {
    const { state, lagMessages, pid } = consumer;
    const subject = `${channel.name}/${peerName(consumer)}`;
    const isGating = channel.gatedBy?.index === consumer.index;
    if (state === "dead" && (isGating || consumer.name !== "")) {
      return [reason("consumer_dead", isGating ? "failing" : "degraded", subject, {
        text: `process ${pid} is gone, ${lagMessages} messages behind` +
          (isGating ? ", and holds its place" : ""),
        action: "restart it; if it never comes back: mt remove-consumer",
      })];
    }
    if (state !== "alive" || consumer.stalledMs < stalledMs) return [];
    return [reason("consumer_stalled", isGating ? "failing" : "degraded", subject, {
      text: `process ${pid} has not moved for ${seconds(consumer.stalledMs)}, ` +
        `${lagMessages} messages behind${isGating ? ", and producers wait for it" : ""}`,
      action: "look what it waits for; restart it",
    })];
  });
}

function fullReasons(
  { name, occupancyBytes, sizeBytes, gatedBy }: WatchedChannel,
  { fullShare }: Bounds,
): HealthReason[] {
  if (occupancyBytes < fullShare * sizeBytes || gatedBy === null) return [];
  const share = Math.floor(occupancyBytes / sizeBytes * 100);
  return [reason("channel_full", "degraded", name, {
    text: `its ring is full to ${share} %: producers wait for ${peerName(gatedBy)}`,
    action: "make that consumer faster, or the ring larger",
  })];
}

function serviceReasons(
  { instance, state, pid, file, values, error }: ServiceCounters,
  { engineLagRequests }: Bounds,
): HealthReason[] {
  if (state === "stopped") return []; // Somebody wanted that.
  if (state !== "alive") {
    return [reason("service_dead", "degraded", instance, {
      text: error ?? `process ${pid} has died, or ended by an error`,
      action: `start it; if it is done with for good, remove ${file}`,
    })];
  }
  const lag = values.find(({ name }) => name === "engine_lag_requests")?.value ?? 0;
  if (lag <= engineLagRequests) return [];
  return [reason("engine_behind", "degraded", instance, {
    text: `it has ${lag} requests before it`,
    action: "look at its processor time, and who holds engine.events",
  })];
}

function diskReasons(
  { directory, freeBytes }: DiskSpace,
  { diskLowBytes, diskCriticalBytes }: Bounds,
): HealthReason[] {
  if (freeBytes >= diskLowBytes) return [];
  const severity = freeBytes < diskCriticalBytes ? "failing" : "degraded";
  return [reason("disk_low", severity, directory, {
    text: `its file system has ${Math.floor(freeBytes / 2 ** 20)} MiB left`,
    action: "make room, or let the log be cut: see docs/operations.md, Disk full",
  })];
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1000)} s`;
}
