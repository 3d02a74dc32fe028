/**
 * Recovery: the newest sound checkpoint of a state, and the messages that came after it.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { Consumer } from "../channel/consumer.ts";
import type { ConsumerOptions } from "../channel/consumer_options.ts";
import { openConsumer } from "../channel/open_consumer.ts";
import { CorruptLogError, CorruptStoreError } from "../errors.ts";
import type { LogReport } from "../native/log.ts";
import type { Cursor } from "./manifest.ts";
import { readSnapshot } from "./snapshot.ts";
import type { DamagedCheckpoint, Kept, Vault } from "./vault.ts";

/** Where a state goes on. */
export interface Recovery {
  /** The state's bytes; undefined if it has no checkpoint yet. */
  state: Uint8Array<ArrayBuffer> | undefined;
  /** Number of the checkpoint that it is from; 0 for none. */
  checkpoint: number;
  /** Wall clock when that was made; 0 for none. */
  createdMs: number;
  /** Last message of the channel that the state contains; 0 for none. */
  sequence: number;
  /** How far the state's consumers were, on all channels. */
  cursors: readonly Cursor[];
  /** Last message that log or ring has. Those behind `sequence` up to it are to be replayed. */
  lastSequence: number;
  /** Epoch of the channel's log. */
  epoch: number;
  /** What opening the log has found; undefined if another process had opened it. */
  log: LogReport | undefined;
  /** Checkpoints, and stores of them, that are damaged and so were passed over. */
  damaged: readonly DamagedCheckpoint[];
  /** What was read and compared. */
  verified: { chunks: number; bytes: number };
  /** Milliseconds that it took. */
  durationMs: number;
  /**
   * Opens the consumer that goes on behind the state: through the log, then live, without a gap,
   * and without a message that the state contains. The log keeps what it needs from here on.
   */
  replay(options?: Omit<ConsumerOptions, "from">): Consumer;
}

/** Finds a state's newest sound checkpoint. */
export async function recoverState(
  vault: Vault,
  stateId: string,
  channel: Channel,
): Promise<Recovery> {
  const begin = performance.now();
  const damaged: DamagedCheckpoint[] = [...vault.damaged];
  let found: { kept: Kept; state: Uint8Array<ArrayBuffer> } | undefined;
  for (const kept of await vault.kept(stateId, (damage) => void damaged.push(damage))) {
    try {
      const { store, manifest } = kept;
      found = { kept, state: await readSnapshot(store, stateId, manifest.id, manifest) };
      break;
    } catch (error) {
      if (!(error instanceof CorruptStoreError)) throw error;
      damaged.push({ id: kept.manifest.id, error });
      vault.passOver(stateId, kept.manifest.id);
    }
  }
  const manifest = found?.kept.manifest;
  if (found === undefined && damaged.length > 0) throw damaged[0]!.error;
  const cursors = manifest?.cursors ?? [];
  const own = cursors.filter((cursor) => cursor.channel === channel.name);
  const sequence = own.length === 0 ? 0 : Math.min(...own.map((cursor) => cursor.sequence));
  const needs = await vault.needs(channel.name);
  const { log, nextSequence } = channel.stats();
  // What the log's last writer has left in the ring, the next one may not have written yet.
  const lastSequence = Math.max(log?.logged ?? 0, nextSequence - 1);
  checkNotAhead(channel, sequence, nextSequence - 1);
  return {
    state: found?.state,
    checkpoint: manifest?.id ?? 0,
    createdMs: manifest?.createdMs ?? 0,
    sequence,
    cursors,
    lastSequence,
    epoch: log?.epoch ?? 0,
    log: channel.recovered,
    damaged,
    verified: { chunks: manifest?.chunks ?? 0, bytes: manifest?.bytes ?? 0 },
    durationMs: performance.now() - begin,
    replay(options = {}) {
      const from = found === undefined ? "earliest" : sequence + 1;
      const consumer = openConsumer(channel, { ...options, from });
      const isKept = options.name !== undefined && channel.logDirectory !== undefined;
      if (isKept && found !== undefined) {
        // The checkpoint before is needed if this one turns out damaged, and so are other states'.
        const others = needs.filter(({ stateId: id, consumer }) =>
          id === stateId || consumer === options.name
        );
        consumer.keep(Math.min(sequence + 1, ...others.map(({ from }) => from)));
      }
      return consumer;
    },
  };
}

/** A state that knows more than the log: what it knows would be given to other messages. */
function checkNotAhead(channel: Channel, sequence: number, last: number): void {
  if (sequence <= last) return;
  throw new CorruptLogError(channel.logDirectory ?? channel.bufferFile, {
    kind: "regressed",
    file: "",
    offset: 0,
    expectedSequence: sequence,
    nextSequence: 0,
  });
}
