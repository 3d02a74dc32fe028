/**
 * The files of a log: segments and control file. Verified, read, salvaged, and now and then opened
 * to write. The first byte chooses; the rest are cuts.
 *
 * @module
 */

import { createChannel, openConsumer, readLog, salvageLog, verifyLog } from "../../../mod.ts";
import { logOptions, sealLog, writeLog } from "../_log.ts";
import { join } from "../_mutator.ts";
import { cut, flips, operate, writeFiles } from "../_surgery.ts";
import { isRefusal, must, outcomeOf, type Target } from "../_target.ts";

/** One of so many inputs is opened to write, which makes files of some hundred kilobytes. */
const OPEN_EVERY = 8;

/** Opens it: writes the log. */
export function open(directory: string): Target {
  const { files: sound, messages } = writeLog(directory);
  const place = `${directory}/wal/test`;
  const names = [...sound.keys()];
  const control = names.indexOf("control");
  const segments = names.flatMap((name, at) => name.endsWith(".wal") ? [at] : []);

  function isSent(sequence: number, payload: Uint8Array): boolean {
    const expected = messages.get(sequence);
    return payload.length === expected?.length && payload.every((byte, i) => byte === expected[i]);
  }

  async function use(isForged: boolean, isWritten: boolean): Promise<string> {
    const outcomes: string[] = [];
    const attempt = async (step: () => unknown) => {
      try {
        outcomes.push(`${await step()}`);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        outcomes.push(outcomeOf(error));
      }
    };
    const check = (sequence: number, payload: Uint8Array) =>
      must(isForged || isSent(sequence, payload), `message ${sequence} of ${payload.length} bytes`);
    await attempt(async () => (await verifyLog(place)).verdict);
    await attempt(() => {
      let last = 0;
      for (const { sequence, payload } of readLog(place)) {
        must(sequence > last, `${sequence} behind ${last}`);
        check(last = sequence, payload);
      }
      return Math.sign(last);
    });
    await attempt(() => {
      const { lost } = salvageLog(place, { onMessage: (one) => check(one.sequence, one.payload) });
      for (const { from, to } of lost) {
        must(to === undefined || from <= to, `lost ${from} to ${to}`);
      }
      return Math.min(2, lost.length);
    });
    if (!isWritten) return outcomes.join(" | ");
    await attempt(() => {
      using channel = createChannel("test", logOptions(directory));
      const consumer = openConsumer(channel, { from: "earliest" });
      while (consumer.poll(({ sequence, payload }) => check(sequence, payload)) > 0);
      return channel.recovered?.verdict;
    });
    return outcomes.join(" | ");
  }

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
      ...flips(control, 0, 80, 4).map((surgery) =>
        join([0], surgery, cut("seal", { file: control }))
      ),
      join([0], cut("copy", { file: segments[0]!, at: 8192, bytes: [0, 16, 0, 0, 0, 16] })),
      join([0], cut("size", { file: control, at: 12_288 })),
    ],
    async run(input) {
      let isForged = false;
      const changed = operate(sound, input.subarray(1), (bytes, name) => {
        isForged = true;
        sealLog(bytes, name);
      });
      const isWritten = (input[0] ?? 0) % OPEN_EVERY === 0;
      writeFiles(place, changed, sound);
      try {
        return await use(isForged, isWritten);
      } finally {
        if (isWritten) Deno.removeSync(`${directory}/test.ring`, { recursive: true });
        writeFiles(place, sound, isWritten ? new Map() : changed);
      }
    },
  };
}
