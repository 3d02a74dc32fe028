/**
 * Seeing channels and services from outside: what they count, how they stand, whether that is well.
 *
 * @module
 */

export {
  isReadable,
  type Look,
  type UnreadableChannel,
  Watch,
  type WatchedChannel,
  type WatchedPeer,
} from "./watch.ts";
