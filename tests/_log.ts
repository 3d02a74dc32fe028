/**
 * What the tests of logs share: a channel's log in a temporary directory, and surgery on its files.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { type ChannelOptions, createChannel, openProducer, readLog } from "../mod.ts";
import { encode } from "./_support.ts";

/** Bytes of the smallest segment. */
export const SEGMENT_BYTES = 256 * 1024;

/** Text of the message with that sequence. */
export function textOf(sequence: number): string {
  return `message ${sequence} ${"x".repeat(sequence % 90)}`;
}

/** A log that was written by a channel and closed. Gone with its scope. */
export class TestLog implements Disposable {
  readonly root: string = Deno.makeTempDirSync();
  /** Name of its channel. */
  readonly channel = "test";

  /** Writes messages 1 to `count`. */
  constructor(count: number, options: ChannelOptions = {}) {
    this.append(1, count, options);
  }

  /** Opens its channel, writes messages `first` to `last`, and closes it. */
  append(first: number, last: number, options: ChannelOptions = {}): void {
    using channel = createChannel(this.channel, { ...this.options, ...options });
    const producer = openProducer(channel);
    for (let sequence = first; sequence <= last; sequence++) {
      producer.write(encode(textOf(sequence)));
    }
  }

  /** Its files as they are. */
  copy(): Map<string, Uint8Array<ArrayBuffer>> {
    return new Map(this.files().map((name) => [name, Deno.readFileSync(this.path(name))]));
  }

  /**
   * Names of the files that are not what they were: of those that make the log, so neither of the
   * lock nor of a segment that is being prepared.
   */
  changedSince(files: Map<string, Uint8Array>): string[] {
    const now = this.copy();
    const names = new Set([...files.keys(), ...now.keys()]);
    return [...names].filter((name) => {
      const [left, right] = [files.get(name), now.get(name)];
      const isSame = left !== undefined && right !== undefined && equals(left, right);
      return name !== "LOCK" && name !== "next" && !isSame;
    });
  }

  /** Makes its files what they were. */
  restore(files: Map<string, Uint8Array>): void {
    for (const { name, isFile } of [...Deno.readDirSync(this.directory)]) {
      if (!isFile || !files.has(name)) Deno.removeSync(this.path(name), { recursive: true });
    }
    for (const [name, bytes] of files) {
      const isSame = existsSync(this.path(name)) &&
        equals(Deno.readFileSync(this.path(name)), bytes);
      if (!isSame) Deno.writeFileSync(this.path(name), bytes);
    }
  }

  /** What its channel is opened with. */
  get options(): ChannelOptions {
    return {
      directory: this.root,
      walDir: `${this.root}/wal`,
      durability: "disk",
      segmentBytes: SEGMENT_BYTES,
      sizeBytes: "64KB",
    };
  }

  /** The log's directory. */
  get directory(): string {
    return `${this.root}/wal/${this.channel}`;
  }

  /** Path of one of its files. */
  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** Names of its files, sorted. */
  files(): string[] {
    return [...Deno.readDirSync(this.directory)].map(({ name }) => name).sort();
  }

  /** Names of its segments, sorted. */
  segments(): string[] {
    return this.files().filter((name) => name.endsWith(".wal"));
  }

  /** Sequence that a segment begins with, by its name. */
  firstOf(segment: string): number {
    return Number(/-(\d+)\.wal$/.exec(segment)![1]);
  }

  /** Changes a byte of a file. */
  flip(name: string, offset: number, bits = 0x10): void {
    const bytes = this.read(name, offset, 1);
    this.write(name, offset, bytes.map((byte) => byte ^ bits));
  }

  /** Reads bytes of a file. */
  read(name: string, offset: number, size: number): Uint8Array<ArrayBuffer> {
    using file = Deno.openSync(this.path(name));
    file.seekSync(offset, Deno.SeekMode.Start);
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, file.readSync(bytes) ?? 0);
  }

  /** Overwrites bytes of a file. */
  write(name: string, offset: number, bytes: Uint8Array): void {
    using file = Deno.openSync(this.path(name), { write: true });
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(bytes);
  }

  /** Makes the ring go, as if the host had lost it. */
  loseRing(): void {
    try {
      Deno.removeSync(`${this.root}/${this.channel}.ring`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Texts of the messages that the log has. */
  texts(options?: Parameters<typeof readLog>[1]): string[] {
    return [...mapMessages(readLog(this.directory, options))];
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.root, { recursive: true });
  }
}

function equals(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function* mapMessages(messages: Iterable<{ text: string }>): Generator<string, void, void> {
  for (const { text } of messages) yield text;
}
