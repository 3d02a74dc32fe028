/**
 * How market data comes back: what was kept of its feed, and the engine's events behind that.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import { CorruptStoreError, SequenceGapError } from "../../errors.ts";
import type { EventCheckpoints, EventRecovery } from "../event_checkpoints.ts";
import { consumeFromTheFirst } from "./feed_source.ts";

/**
 * Gives a feed what was kept of it, and opens the consumer that goes on behind that.
 *
 * It makes do with less: without a sound checkpoint it begins with the oldest event that there is,
 * and where events behind the checkpoint are gone, with the oldest one behind those. The feed then
 * says that it is not complete, unless that event is the one that it lacks.
 *
 * @param name Name of the consumer.
 * @param onProblem Told of what it makes do without.
 * @throws {CorruptSnapshotError} If the checkpoint is of another version.
 * @throws {TypeError} If it has an instrument that the feed has not been given.
 * @throws {CorruptLogError} If the log ends before the checkpoint, or is damaged.
 */
export async function recoverFeed(
  checkpoints: EventCheckpoints,
  events: Channel,
  name: string,
  onProblem: (error: Error) => void,
): Promise<EventRecovery> {
  try {
    return await checkpoints.recover(events, name);
  } catch (error) {
    const isLess = error instanceof CorruptStoreError || error instanceof SequenceGapError;
    if (!isLess) throw error;
    onProblem(error);
  }
  const consumer = consumeFromTheFirst(events, name);
  checkpoints.goOn(consumer);
  return { consumer, sequence: 0, last: events.stats().nextSequence - 1, damaged: 0 };
}
