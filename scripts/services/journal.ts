/**
 * The journal: writes the messages of channels into dated files.
 *
 * @module
 */

import { type Journal, JOURNAL_COUNTERS, openJournal } from "../../lib/market/mod.ts";
import type { Counters } from "../../lib/observability/mod.ts";
import { type Channel, openChannel } from "../../mod.ts";
import { UsageError } from "../_command.ts";
import { CHANNEL_SETTINGS, channelPermissions, ownChannel, placeOf } from "./_channels.ts";
import { defineService, type Facts, type RunningService, serve } from "./_service.ts";
import { bytes, choice, list, needed, path, text, type Values } from "./_settings.ts";

/** Milliseconds between two looks whether a channel is there. */
const LOOK_MS = 100;

const SETTINGS = {
  directory: CHANNEL_SETTINGS.directory,
  bufferFile: CHANNEL_SETTINGS.bufferFile,
  walDir: CHANNEL_SETTINGS.walDir,
  channel: list([], "channels; one that does not exist yet is waited for"),
  journalDir: path("directory of journals, one below for each"),
  journalSync: text("batch", 'when files are synced: "batch", "none", or milliseconds between'),
  rotateSize: bytes(256 * 1024 * 1024, "bytes after which another file is begun"),
  onSlow: choice(
    ["block", "spill", "drop"],
    "block",
    "when the disk is slow: hold producers back, read on in the log, or lose messages",
  ),
};

type JournalValues = Values<typeof SETTINGS>;

type JournalCounters = Counters<typeof JOURNAL_COUNTERS>;

/** A channel's journal, from waiting for the channel on. */
class Writing {
  readonly ended: Promise<void>;
  readonly #name: string;
  readonly #values: JournalValues;
  readonly #counters: JournalCounters;
  #channel: Channel | undefined;
  #journal: Journal | undefined;
  #wake: (() => void) | undefined;
  #isStopped = false;

  constructor(name: string, values: JournalValues, counters: JournalCounters) {
    this.#name = name;
    this.#values = values;
    this.#counters = counters;
    this.#open();
    this.ended = this.#run();
  }

  /** Whether its channel is there. */
  get isOpen(): boolean {
    return this.#journal !== undefined;
  }

  /** Messages that are not in the journal yet. */
  get lagMessages(): number {
    return this.#journal?.lagMessages ?? 0;
  }

  #open(): void {
    const { journalDir, rotateSize, onSlow } = this.#values;
    try {
      this.#channel = openChannel(this.#name, placeOf(this.#values));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    const name = this.#name;
    this.#journal = openJournal(this.#channel, {
      directory: journalDir!,
      sync: toSync(this.#values),
      rotateBytes: rotateSize,
      onSlow,
      counters: this.#counters,
      onFull: (error) => console.error(error?.message ?? `Went on with the journal of "${name}"`),
    });
  }

  async #run(): Promise<void> {
    while (!this.isOpen && !this.#isStopped) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, LOOK_MS);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      if (!this.#isStopped) this.#open();
    }
    await this.#journal?.ended;
  }

  async stop(): Promise<Facts> {
    this.#isStopped = true;
    this.#wake?.();
    const stats = await this.#journal?.stop();
    this.#channel?.close();
    return { ...stats };
  }
}

/** One channel may be named by its ring file. */
function channelsOf(values: JournalValues): readonly string[] {
  if (values.channel.length > 0) return values.channel;
  if (values.bufferFile !== undefined) return [ownChannel(values, "")];
  throw new UsageError("Cannot write journals: expected channel, or buffer_file");
}

function toSync({ journalSync }: JournalValues): "batch" | "none" | { intervalMs: number } {
  if (journalSync === "batch" || journalSync === "none") return journalSync;
  if (/^\d{1,7}$/.test(journalSync)) return { intervalMs: Number(journalSync) };
  throw new UsageError(
    `Cannot use journal_sync "${journalSync}": expected "batch", "none", or a number of ` +
      `milliseconds`,
  );
}

/** The service. */
export const journal = defineService({
  name: "journal",
  summary: "Writes channels into dated files; `read` prints them, `replay` publishes them again.",
  settings: SETTINGS,
  counters: JOURNAL_COUNTERS,
  permissions: (values) => channelPermissions(values, { paths: [values.journalDir] }),
  start(values, counters): Promise<RunningService> {
    const channels = channelsOf(values);
    const journalDir = needed(values, "journalDir");
    toSync(values);
    const all = channels.map((name) => [name, new Writing(name, values, counters)] as const);
    const waiting = all.filter(([, { isOpen }]) => !isOpen).map(([name]) => name);
    return Promise.resolve({
      ready: { journalDir, channels, waiting },
      sample: () =>
        counters.values.lag.set(all.reduce((sum, [, { lagMessages }]) => sum + lagMessages, 0)),
      ended: Promise.all(all.map(([, { ended }]) => ended)).then(() => {}),
      async stop() {
        const facts = all.map(async ([name, writing]) => [name, await writing.stop()] as const);
        return { channels: Object.fromEntries(await Promise.all(facts)) };
      },
    });
  },
});

if (import.meta.main) await serve(journal);
