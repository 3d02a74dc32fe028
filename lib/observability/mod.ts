/**
 * Seeing channels and services from outside: what they count, how they stand, whether that is well.
 *
 * @module
 */

export { LatencyHistogram } from "./latency_histogram.ts";
export {
  isReadable,
  type Look,
  type UnreadableChannel,
  Watch,
  type WatchedChannel,
  type WatchedConsumer,
  type WatchedLog,
  type WatchedPeer,
} from "./watch.ts";
