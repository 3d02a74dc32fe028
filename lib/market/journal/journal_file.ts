/**
 * One file of a journal, open to append: what cannot be written whole is taken back.
 *
 * @module
 */

import { constants } from "node:os";
import { basename, dirname } from "node:path";
import { DurabilityError, NoSpaceError } from "../../errors.ts";
import { dayOfName } from "./journal_files.ts";

/** A file of lines. Thread: its isolate's only. */
export class JournalFile {
  /** Its path. */
  readonly path: string;
  /** The day in its name, such as `20260131`. */
  readonly day: string;
  readonly #file: Deno.FsFile;
  #size: number;
  #syncedSize: number;

  private constructor(path: string, file: Deno.FsFile, size: number) {
    this.path = path;
    this.day = dayOfName(basename(path));
    this.#file = file;
    this.#size = this.#syncedSize = size;
  }

  /**
   * Makes a file, for this user alone, with its first lines; durable by name.
   *
   * @throws {NoSpaceError} If there is no room; nothing is left behind.
   */
  static create(path: string, lines: Uint8Array): JournalFile {
    const file = attempt(
      path,
      lines.length,
      () => Deno.openSync(path, { createNew: true, append: true, read: true, mode: 0o600 }),
    );
    const created = new JournalFile(path, file, 0);
    try {
      created.append(lines);
      syncDirectory(dirname(path));
      return created;
    } catch (error) {
      created.close();
      Deno.removeSync(path);
      throw error;
    }
  }

  /** Opens one to append to; what it holds is made durable. */
  static open(path: string): JournalFile {
    const file = Deno.openSync(path, { append: true, read: true });
    try {
      syncDirectory(dirname(path));
      attempt(path, 0, () => file.syncDataSync());
      return new JournalFile(path, file, file.statSync().size);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Its bytes. */
  get size(): number {
    return this.#size;
  }

  /** Whether {@linkcode JournalFile.sync} has something to do. */
  get isSynced(): boolean {
    return this.#size === this.#syncedSize;
  }

  /**
   * Appends lines: all of them, or none.
   *
   * @throws {NoSpaceError} If there is no room.
   * @throws {DurabilityError} If it failed for another reason.
   */
  append(lines: Uint8Array): void {
    let written = 0;
    try {
      while (written < lines.length) written += this.#file.writeSync(lines.subarray(written));
      this.#size += written;
    } catch (error) {
      this.#file.truncateSync(this.#size);
      throw toFailure(this.path, error, { needed: lines.length, available: written });
    }
  }

  /**
   * Makes durable what was appended.
   *
   * @throws {DurabilityError} If that failed. What is not durable is taken back, so that it is
   * never taken for what was kept.
   */
  async sync(): Promise<void> {
    const size = this.#size;
    try {
      await this.#file.syncData();
      this.#syncedSize = size;
    } catch (error) {
      this.#size = this.#syncedSize;
      this.#file.truncateSync(this.#size);
      throw toFailure(this.path, error);
    }
  }

  /** Closes it. */
  close(): void {
    this.#file.close();
  }
}

/** Makes names in a directory durable. */
export function syncDirectory(path: string): void {
  using directory = Deno.openSync(path);
  attempt(path, 0, () => directory.syncSync());
}

function attempt<T>(path: string, needed: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw toFailure(path, error, { needed, available: 0 });
  }
}

const FULL = ["ENOSPC", "EDQUOT"];

/**
 * Returns the error for what the operating system says; what it does not say goes on as it is.
 *
 * @param room Bytes that were wanted and that were had, where a file was to grow.
 */
export function toFailure(
  path: string,
  error: unknown,
  room?: { needed: number; available: number },
): unknown {
  if (!(error instanceof Error && "code" in error && typeof error.code === "string")) return error;
  if (room !== undefined && FULL.includes(error.code)) {
    return new NoSpaceError(path, room.needed, room.available, "append to");
  }
  const errno = (constants.errno as Record<string, number>)[error.code];
  if (errno === undefined || error instanceof Deno.errors.PermissionDenied) return error;
  const failure = new DurabilityError(dirname(path), errno);
  failure.cause = error;
  return failure;
}
