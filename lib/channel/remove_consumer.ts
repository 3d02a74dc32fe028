/**
 * Removing a consumer that never comes back.
 *
 * @module
 */

import { NAME_BYTES_MAX } from "../native/_layout.ts";
import { removePeer } from "../native/peers.ts";
import type { Channel } from "./channel.ts";

/**
 * Removes a named consumer for good: frees its slot, and makes the log forget what it needs, so
 * that it can be cut. One that opens under that name later begins anew.
 *
 * Any process that has the channel open may do it, whether somebody writes the log or not, also
 * where the ring is new and only the log knows the consumer. On return it is done, for the host's
 * next start as well: only the cutting is left to whoever writes the log, now (within its
 * `snapshotIntervalMs`, at once if the log is full) or next.
 *
 * Cost: some system calls, with a log one sync of its directory.
 *
 * @param name The consumer's, 1 to 96 bytes.
 * @throws {RangeError} If that is no consumer's name.
 * @throws {TypeError} If the channel was opened to look only.
 * @throws {Deno.errors.NotFound} If neither ring nor log know such a consumer, or the ring file was
 *     removed.
 * @throws {Deno.errors.Busy} If it is open in a live process: the text has the pid.
 * @throws {Deno.errors.NotCapable} Without permission to read and write the log's directory.
 * @throws {NoSpaceError} If the disk has no room for a file's name. The consumer stays.
 *
 * @example
 * ```ts
 * import { createChannel, openConsumer, removeChannel, removeConsumer } from "message_transport";
 * import { assertEquals } from "@std/assert";
 *
 * {
 *   using channel = createChannel("doc.removal", { sizeBytes: "64KB" });
 *   openConsumer(channel, { name: "risk" }).close(); // Its cursor stays for its return.
 *   removeConsumer(channel, "risk");
 *   assertEquals(channel.stats().consumers, []);
 * }
 * removeChannel("doc.removal");
 * ```
 */
export function removeConsumer(channel: Channel, name: string): void {
  const { name: channelName, bufferFile, logDirectory } = channel;
  const cannot = `Cannot remove a consumer of channel "${channelName}"`;
  const size = new TextEncoder().encode(name).length;
  if (size < 1 || size > NAME_BYTES_MAX) {
    throw new RangeError(
      `${cannot}: expected a name of 1 to ${NAME_BYTES_MAX} bytes, found ${size}`,
    );
  }
  if (channel.isReadOnly) {
    throw new TypeError(`${cannot}: found that the channel was opened with readOnly`);
  }
  if (!channel.stats().hasName) { // Its log goes on in the ring that takes its place.
    throw new Deno.errors.NotFound(`${cannot}: found that "${bufferFile}" was removed`);
  }
  const hasLog = logDirectory !== undefined;
  const path = hasLog ? logDirectory : bufferFile;
  removePeer(channel.handle, name, { channel: channelName, path, hasLog });
}
