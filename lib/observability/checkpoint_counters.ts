/**
 * What every service counts that keeps a state: its checkpoints, and how it has come back.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { Checkpoint } from "../durability/checkpoint.ts";
import { counter, type Counters, type DefinitionsOf, gauge, histogram } from "./counters.ts";

/** Those of {@linkcode CHECKPOINT_COUNTERS}. */
export type CheckpointDefinitions = DefinitionsOf<
  "checkpoints" | "checkpointFailures",
  | "checkpointBytes"
  | "checkpointLast"
  | "recoveryTime"
  | "recoveryReplayed"
  | "recoveryDamaged"
  | "recoveryTorn",
  "checkpointTime"
>;

/** Checkpoints of a service, and its last recovery. */
export const CHECKPOINT_COUNTERS: CheckpointDefinitions = {
  checkpoints: counter(
    "checkpoint_total",
    "Checkpoints made. None for several intervals: the next recovery takes long; see the failures.",
  ),
  checkpointFailures: counter(
    "checkpoint_failures_total",
    "Checkpoints that could not be made; the one before stays. Look at the disk and at stderr.",
  ),
  checkpointTime: histogram(
    "checkpoint_seconds",
    "Time that a checkpoint takes, the wait for the log included. Rising: a slow disk.",
  ),
  checkpointBytes: gauge("checkpoint_bytes", "Size of the state in the last checkpoint."),
  checkpointLast: gauge(
    "checkpoint_last_timestamp_seconds",
    "When the last checkpoint was made, in seconds since 1970; 0 for none since the start.",
  ),
  recoveryTime: gauge(
    "recovery_seconds",
    "Time that the last start took to come back to where it was. Long: make checkpoints oftener.",
  ),
  recoveryReplayed: gauge(
    "recovery_replayed_messages",
    "Messages that the last start read again behind its checkpoint.",
  ),
  recoveryDamaged: gauge(
    "recovery_damaged_checkpoints",
    "Checkpoints and stores that the last start found damaged and passed over. Not 0: see disk.",
  ),
  recoveryTorn: gauge(
    "recovery_torn_bytes",
    "Bytes of torn tails that the last start has saved aside in its logs. Not 0: a power cut.",
  ),
};

/** Counters of whoever makes checkpoints. */
export type CheckpointCounters = Counters<CheckpointDefinitions>;

/** Counts a checkpoint that was made. */
export function countCheckpoint(
  { values }: CheckpointCounters,
  { bytes, durationMs }: Pick<Checkpoint, "bytes" | "durationMs">,
): void {
  values.checkpoints.add();
  values.checkpointTime.record(durationMs * 1e6);
  values.checkpointBytes.set(bytes);
  values.checkpointLast.set(Date.now() / 1000);
}

/** How a service has come back. */
export interface RecoveryFacts {
  /** Milliseconds that it took. */
  recoveryMs: number;
  /** Messages that were read again. */
  replayed: number;
  /** Checkpoints and stores that were passed over. */
  damaged: number;
}

/**
 * Tells how a service has come back.
 *
 * @param channels Those whose logs it may have opened.
 */
export function tellRecovery(
  { values }: CheckpointCounters,
  { recoveryMs, replayed, damaged }: RecoveryFacts,
  channels: readonly Channel[],
): void {
  const torn = channels.map(({ recovered }) => recovered?.tornBytes ?? 0);
  values.recoveryTorn.set(torn.reduce((sum, bytes) => sum + bytes, 0));
  values.recoveryTime.set(recoveryMs / 1000);
  values.recoveryReplayed.set(replayed);
  values.recoveryDamaged.set(damaged);
}
