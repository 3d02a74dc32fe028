/**
 * Free space where logs lie.
 *
 * @module
 */

import { readFileSystem } from "../native/machine.ts";
import { isReadable, type Look } from "./watch.ts";

/** Free space of a file system with logs. */
export interface DiskSpace {
  /** Directory of a log on it. */
  directory: string;
  /** Bytes that this user may still write. */
  freeBytes: number;
  /** Bytes of the file system. */
  sizeBytes: number;
}

/**
 * Reads the free space of every log's directory that was seen. Those are left out that this process
 * may not read, and those that are gone: a ring outlives its log.
 *
 * Cost: a system call for each log.
 */
export function readDiskSpace({ channels }: Look): DiskSpace[] {
  const directories = new Set(
    channels.filter(isReadable).flatMap(({ log }) => log === null ? [] : [log.directory]),
  );
  return [...directories].flatMap((directory) => {
    if (Deno.permissions.querySync({ name: "read", path: directory }).state !== "granted") {
      return [];
    }
    try {
      const { availableBytes, bytes } = readFileSystem(directory);
      return [{ directory, freeBytes: availableBytes, sizeBytes: bytes }];
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return [];
    }
  });
}
