/**
 * The files of a log: segments and control file. Verified, read, salvaged, and now and then opened
 * to write. The first byte chooses; the rest are cuts.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { createChannel, openConsumer, readLog, salvageLog, verifyLog } from "../../../mod.ts";
import { logOptions, sealLog, writeLog } from "../_log.ts";
import { join } from "../../_bytes.ts";
import { cut, type Files, flips, operate, writeFiles } from "../_surgery.ts";
import { isRefusal, must, outcomeOf, type Target } from "../_target.ts";

/** One of so many inputs is opened to write, which waits for the disk. */
const OPEN_EVERY = 64;

/** Bytes of a slot of the control file, and where it says how many, or how long: docs/format.md. */
const SLOT_BYTES = 12_288;
const CONTROL_COUNTS = [56, 80 + 32, 80 + 36, 2264 + 16];

/** A log that is spoilt, used, and made sound again. */
class SpoilableLog {
  readonly #directory: string;
  readonly #place: string;
  readonly #sound: Files;
  readonly #messages: ReadonlyMap<number, Uint8Array>;
  /** Whether a checksum was made right again, so that another message may be a sound one. */
  #isForged = false;

  constructor(directory: string) {
    const { files, messages } = writeLog(directory);
    this.#directory = directory;
    this.#place = `${directory}/wal/test`;
    this.#sound = files;
    this.#messages = messages;
  }

  /** Names of its files. */
  get names(): string[] {
    return [...this.#sound.keys()];
  }

  /** Applies cuts, looks at the log in every way, and opens it if it `isWritten`. */
  async run(cuts: Uint8Array<ArrayBuffer>, isWritten: boolean): Promise<string> {
    this.#isForged = false;
    const changed = operate(this.#sound, cuts, (bytes, name) => {
      this.#isForged = true;
      sealLog(bytes, name);
    });
    writeFiles(this.#place, changed, this.#sound);
    try {
      const outcomes: string[] = [];
      const steps = [() => this.#verify(), () => this.#read(), () => this.#salvage()];
      for (const step of isWritten ? [...steps, () => this.#open()] : steps) {
        try {
          outcomes.push(await step());
        } catch (error) {
          if (!isRefusal(error)) throw error;
          outcomes.push(outcomeOf(error));
        }
      }
      return outcomes.join(" | ");
    } finally {
      const ring = `${this.#directory}/test.ring`;
      if (existsSync(ring)) Deno.removeSync(ring);
      writeFiles(this.#place, this.#sound, isWritten ? new Map() : changed);
    }
  }

  async #verify(): Promise<string> {
    return (await verifyLog(this.#place)).verdict;
  }

  #read(): string {
    let last = 0;
    for (const { sequence, payload } of readLog(this.#place)) {
      must(sequence > last, `${sequence} behind ${last}`);
      this.#check(last = sequence, payload);
    }
    return `${Math.sign(last)}`;
  }

  #salvage(): string {
    const { lost } = salvageLog(this.#place, {
      onMessage: ({ sequence, payload }) => this.#check(sequence, payload),
    });
    for (const { from, to } of lost) must(to === undefined || from <= to, `lost ${from} to ${to}`);
    return `${Math.min(2, lost.length)}`;
  }

  #open(): string {
    using channel = createChannel("test", logOptions(this.#directory));
    const consumer = openConsumer(channel, { from: "earliest" });
    while (consumer.poll(({ sequence, payload }) => this.#check(sequence, payload)) > 0);
    return `${channel.recovered?.verdict}`;
  }

  #check(sequence: number, payload: Uint8Array): void {
    const expected = this.#messages.get(sequence);
    const isSent = payload.length === expected?.length &&
      payload.every((byte, i) => byte === expected[i]);
    must(this.#isForged || isSent, `message ${sequence} of ${payload.length} bytes`);
  }
}

/** Opens it: writes the log. */
export function open(directory: string): Target {
  const log = new SpoilableLog(directory);
  const { names } = log;
  const control = names.indexOf("control");
  const segments = names.flatMap((name, at) => name.endsWith(".wal") ? [at] : []);
  return {
    seeds: [
      ...segments.flatMap((file) => [
        ...flips(file, 0, 104, 8),
        ...flips(file, 4096, 4096 + 512, 13),
        cut("fill", { file, at: 4608, bytes: [0, 0, 2] }),
        cut("size", { file, at: 5000 }),
        cut("remove", { file }),
        cut("swap", { file }),
      ]).map((surgery) => join([1], surgery)),
      ...segments.map((file) =>
        join([1], cut("flip", { file, at: 24, bytes: [1] }), cut("seal", { file }))
      ),
      ...CONTROL_COUNTS.flatMap((at) => [65, 255].map((value) => [at, value])).map(
        ([at, value]) => {
          const bytes = [value!, value! >> 7, 0, 0]; // Just too much, and much too much.
          const slots = [0, SLOT_BYTES].map((slot) => slot + at!);
          const cuts = slots.map((at) => cut("write", { file: control, at, bytes }));
          return join([0], ...cuts, cut("seal", { file: control }));
        },
      ),
      ...flips(control, 0, 80, 4).map((surgery, at) =>
        join([at % 5], surgery, cut("seal", { file: control }))
      ),
      join([0], cut("copy", { file: segments[0]!, at: 8192, bytes: [0, 16, 0, 0, 0, 16] })),
      join([0], cut("size", { file: control, at: 12_288 })),
    ],
    run: (input) => log.run(input.slice(1), (input[0] ?? 0) % OPEN_EVERY === 0),
  };
}
