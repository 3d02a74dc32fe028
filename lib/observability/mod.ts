/**
 * Seeing channels and services from outside: what they count, how they stand, whether that is well.
 *
 * @module
 */

export { CorruptCountersError } from "../errors.ts";
export {
  type Counter,
  counter,
  type CounterDefinition,
  type CounterDefinitions,
  type CounterKind,
  type CounterReading,
  Counters,
  type CountersPlace,
  type CounterTotals,
  type CounterValues,
  type DefinitionsOf,
  type Gauge,
  gauge,
  histogram,
  openCounters,
  type OpenCountersOptions,
  readCounters,
  removeCounters,
  type ServiceCounters,
  type Timer,
} from "./counters.ts";
export {
  CHECKPOINT_COUNTERS,
  type CheckpointCounters,
  type CheckpointDefinitions,
  countCheckpoint,
  type RecoveryFacts,
  tellRecovery,
} from "./checkpoint_counters.ts";
export { type DiskSpace, readDiskSpace } from "./disk_space.ts";
export {
  assess,
  type Findings,
  type Health,
  HEALTH_LIMITS,
  type HealthLimits,
  type HealthReason,
  type OwnState,
  type ReasonCode,
} from "./health.ts";
export {
  type ChannelSummary,
  type ChannelView,
  type InspectedConsumer,
  type InspectedHistory,
  Inspector,
  type InspectorPlace,
  type Overview,
  type Sample,
} from "./inspector.ts";
export { LatencyHistogram } from "./latency_histogram.ts";
export { type LogDirectory, type LogSegment } from "./log_directory.ts";
export { RecentLatency } from "./recent_latency.ts";
export {
  isReadable,
  type Look,
  peerName,
  type UnreadableChannel,
  Watch,
  type WatchedChannel,
  type WatchedConsumer,
  type WatchedLog,
  type WatchedPeer,
} from "./watch.ts";
