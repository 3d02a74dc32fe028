/**
 * The log that a channel's messages go to, as the process has it that writes it.
 *
 * @module
 */

import {
  acquireLog,
  type LogFacts,
  type LogReport,
  openPersister,
  startPersister,
} from "../native/log.ts";
import { closeHandle, type RingLog } from "../native/ring.ts";
import type { LogSettings } from "./channel_options.ts";
import { checkDirectory } from "./directory.ts";

/** Milliseconds between two looks whether the log's owner has made the ring. */
const OWNER_INTERVAL_MS = 10;

/** Looks after which an owner is taken for one that never will: opening a log may take a while. */
const OWNER_LOOKS = 6_000;

/** A persister of this process. */
export class ChannelLog {
  /** The log's directory. */
  readonly directory: string;
  readonly #settings: LogSettings;
  readonly #handle: number;
  #facts: LogFacts | undefined;
  #ownerPid = 0;
  #isOpen = true;

  /** Takes an open handle over; see {@linkcode openLog}. */
  constructor(handle: number, directory: string, settings: LogSettings) {
    this.#handle = handle;
    this.directory = directory;
    this.#settings = settings;
  }

  /** What producers wait for by default. */
  get level(): "memory" | "disk" {
    return this.#settings.isLevelDisk ? "disk" : "memory";
  }

  /** Whether this process has the log. */
  get isAcquired(): boolean {
    return this.#facts !== undefined;
  }

  /** What opening the log has found. */
  get report(): LogReport | undefined {
    return this.#facts?.report;
  }

  /**
   * Opens the log, unless another process has it: undefined then.
   *
   * @throws {CorruptLogError} If it is damaged.
   */
  acquire(): RingLog | undefined {
    const { name } = this.#settings.persister;
    const { facts, ownerPid } = this.#facts === undefined
      ? acquireLog(this.#handle, this.directory, name)
      : { facts: this.#facts, ownerPid: 0 };
    this.#facts = facts;
    this.#ownerPid = ownerPid;
    return facts && {
      path: this.directory,
      logId: facts.logId,
      salt: facts.salt,
      firstSequence: facts.nextSequence,
      isLevelDisk: this.#settings.isLevelDisk,
    };
  }

  /** Lets its owner go on with making the ring. */
  awaitOwner(looks: number): void {
    if (looks > OWNER_LOOKS) {
      const { name } = this.#settings.persister;
      throw new Deno.errors.Busy(
        `Cannot create channel "${name}": found its log "${this.directory}" held by live ` +
          `process ${this.#ownerPid}, and no ring file; close that process's channel`,
      );
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OWNER_INTERVAL_MS);
  }

  /** Writes what comes through the ring from now on, as soon as nobody else does. */
  start(ringPath: string): void {
    if (this.#settings.isInside) {
      startPersister(this.#handle, ringPath, this.directory, this.#settings.persister.name);
    } else {
      this.close();
    }
  }

  /** Ends, after everything published by now is in the log. May be repeated. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeHandle(this.#handle);
  }
}

/**
 * Returns the directory of a channel's log, which need not be there.
 *
 * @throws {Deno.errors.NotCapable} Without permission to read and write it.
 */
export function logDirectoryOf(walDir: string, name: string): string {
  return `${checkDirectory(walDir)}/${name}`;
}

/**
 * Opens a log's directory, making it where it is missing.
 *
 * @throws {Deno.errors.NotCapable} Without permission to read and write it.
 */
export function openLog(walDir: string, settings: LogSettings): ChannelLog {
  const directory = logDirectoryOf(walDir, settings.persister.name);
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  return new ChannelLog(openPersister(directory, settings.persister), directory, settings);
}
