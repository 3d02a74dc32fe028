/**
 * What every service counts that keeps a state: its checkpoints, and how it has come back.
 *
 * @module
 */

import type { Checkpoint } from "../durability/checkpoint.ts";
import { counter, type Counters, gauge, histogram } from "./counters.ts";

/** Checkpoints of a service, and its last recovery. */
export const CHECKPOINT_COUNTERS = {
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
};

/** Counters of whoever makes checkpoints. */
export type CheckpointCounters = Counters<typeof CHECKPOINT_COUNTERS>;

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

/** Tells how a service has come back. */
export function tellRecovery(
  { values }: CheckpointCounters,
  { recoveryMs, replayed, damaged }: { recoveryMs: number; replayed: number; damaged: number },
): void {
  values.recoveryTime.set(recoveryMs / 1000);
  values.recoveryReplayed.set(replayed);
  values.recoveryDamaged.set(damaged);
}
