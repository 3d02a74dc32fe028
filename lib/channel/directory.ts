/**
 * Where ring files lie, and which there are.
 *
 * The default directory is the library's own; any other place needs `--allow-read` and
 * `--allow-write` for it, which `lib/native/path.ts` sees to.
 *
 * @module
 */

import { NAME_BYTES_MAX } from "../native/_layout.ts";
import { checkPermitted, defaultDirectory, toAbsolute } from "../native/path.ts";
import * as ring from "../native/ring.ts";

/** Where a channel's file is. At most one of both. */
export interface ChannelPlace {
  /**
   * Directory of the ring file `<name>.ring`. Default: `message_transport` in `$XDG_RUNTIME_DIR`,
   * or `/dev/shm/message_transport-<uid>`. Needs `--allow-read` and `--allow-write` for it.
   */
  directory?: string;
  /** Path of the ring file, where it is to have another name. Needs the same permissions. */
  bufferFile?: string;
}

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/**
 * Checks a channel's name.
 *
 * @throws {RangeError} If it is none.
 */
export function checkName(name: string): void {
  if (NAME.test(name) && name.length <= NAME_BYTES_MAX) return;
  const shown = name.length > NAME_BYTES_MAX ? `${name.length} characters` : `"${name}"`;
  throw new RangeError(
    `Cannot use ${shown} as the name of a channel: expected 1 to ${NAME_BYTES_MAX} of ` +
      `A-Z, a-z, 0-9, ".", "_" and "-", not beginning with "."`,
  );
}

/** Largest id of a group: the kernel takes the next one for none, and changes nothing then. */
const GROUP_MAX = 2 ** 32 - 2;

/**
 * Checks the id of a group that is to share a file.
 *
 * @throws {RangeError} If it is none.
 */
export function checkGroup(group: number | undefined): void {
  if (group === undefined || Number.isInteger(group) && group >= 0 && group <= GROUP_MAX) return;
  throw new RangeError(
    `Cannot share a file with group ${group}: expected an id from 0 to ${GROUP_MAX}`,
  );
}

/** Returns the path of a channel's file. */
export function bufferFileOf(
  name: string,
  place: ChannelPlace,
): { path: string; isDefault: boolean } {
  const { directory, bufferFile } = place;
  if (bufferFile !== undefined && directory !== undefined) {
    throw new TypeError(
      `Cannot place channel "${name}": expected bufferFile or directory, found both`,
    );
  }
  const chosen = bufferFile ?? (directory === undefined ? undefined : `${directory}/${name}.ring`);
  if (chosen === undefined) {
    return { path: `${defaultDirectory()}/${name}.ring`, isDefault: true };
  }
  return { path: toAbsolute(chosen), isDefault: false };
}

/**
 * Returns the absolute path of a directory that this process may read and write.
 *
 * @throws {Deno.errors.NotCapable} If it may not.
 */
export function checkDirectory(directory: string): string {
  const path = toAbsolute(directory);
  checkPermitted(path, "read", "write");
  return path;
}

/** A channel's file. */
export interface ChannelEntry {
  /** The channel's name. */
  name: string;
  /** Path of its file. */
  bufferFile: string;
}

/**
 * Returns the channels in a directory, sorted by name. A file of the right name counts, whatever it
 * holds: opening it tells.
 *
 * @param directory Default: where channels are created.
 */
export function listChannels({ directory }: { directory?: string } = {}): ChannelEntry[] {
  const place = directory === undefined ? defaultDirectory() : toAbsolute(directory);
  return ring.listRings(place).map((name) => ({ name, bufferFile: `${place}/${name}.ring` }));
}

/**
 * Removes a channel's file. Processes that have it open go on among themselves; new ones do not
 * find it.
 *
 * @throws {Deno.errors.NotFound} If there is none.
 */
export function removeChannel(name: string, place: ChannelPlace = {}): void {
  checkName(name);
  ring.removeRing(bufferFileOf(name, place).path, name);
}

/**
 * Removes a channel's file if no living process has it open, whatever for, and if no message would
 * be lost that its log was to keep. What a dead process has left unread in a channel without a log
 * goes with the file.
 *
 * Nobody can open the channel between the look and the removal.
 *
 * @param options `onlyLook`: say what would be done, and remove nothing.
 * @returns What was done, or why not.
 * @throws {Deno.errors.NotFound} If there is no such file.
 * @throws {CorruptHeaderError} If it is no sound ring file: it may be anybody's.
 *
 * @example Tidying up after processes that were killed
 * ```ts
 * import { createChannel, removeUnusedChannel } from "message_transport";
 * import { assertEquals } from "@std/assert";
 *
 * const channel = createChannel("doc.unused", { sizeBytes: "64KB" });
 * assertEquals(removeUnusedChannel("doc.unused").verdict, "in use");
 * channel.close();
 * assertEquals(removeUnusedChannel("doc.unused").verdict, "removed");
 * ```
 */
export function removeUnusedChannel(
  name: string,
  { onlyLook = false, ...place }: ChannelPlace & { onlyLook?: boolean } = {},
): ring.UnusedRemoval {
  checkName(name);
  return ring.removeUnusedRing(bufferFileOf(name, place).path, name, onlyLook);
}
