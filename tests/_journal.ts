/**
 * What the journal's tests share: a channel with a journal, what is in it, and messages.
 *
 * @module
 */

import { EngineEvent, KIND_TRADED } from "../lib/exchange/orders.ts";
import type { Journal, JournalOptions } from "../lib/market/journal/journal.ts";
import { openJournal } from "../lib/market/journal/open_journal.ts";
import type { JournalRecord } from "../lib/market/journal/journal_line.ts";
import {
  type JournalCounts,
  newJournalCounts,
  readJournal,
} from "../lib/market/journal/journal_reader.ts";
import { KIND_TRADE, Trade } from "../lib/market/layouts.ts";
import {
  BACK_PRESSURED,
  type Channel,
  type ChannelOptions,
  openProducer,
  type Producer,
} from "../mod.ts";
import { Scratch } from "./_support.ts";

/** The time at which journals are written: one begins no file because midnight has come. */
const NOON_US = Date.UTC(2026, 0, 1, 12) * 1000;

/** A channel `test`, its producer, and the directory of its journal. All end with the scope. */
export class JournalScratch implements Disposable {
  readonly scratch = new Scratch();
  readonly channel: Channel;
  readonly producer: Producer;
  /** Directory of all journals. */
  readonly root: string = `${this.scratch.directory}/journals`;
  /** Directory of the channel's files. */
  readonly directory: string = `${this.root}/test`;

  constructor(options: ChannelOptions = {}) {
    this.channel = this.scratch.create({ sizeBytes: 1024 * 1024, ...options });
    this.producer = openProducer(this.channel);
  }

  /** Opens the journal. */
  open(options: Partial<JournalOptions> = {}): Journal {
    const usual = { directory: this.root, sync: "none", nowUs: () => NOON_US } as const;
    return openJournal(this.channel, { ...usual, ...options });
  }

  /** Publishes messages, as soon as there is room. */
  async send(...messages: Uint8Array[]): Promise<void> {
    for (const message of messages) {
      while (this.producer.offer(message) === BACK_PRESSURED) await this.producer.ready();
    }
  }

  /** Publishes messages and lets a journal of its own write them. */
  async journalOf(messages: Uint8Array[], options: Partial<JournalOptions> = {}): Promise<void> {
    const journal = this.open(options);
    await this.send(...messages);
    await journal.stop();
  }

  /** Names of the journal's files, sorted, but for that of its lock. */
  names(): string[] {
    return [...Deno.readDirSync(this.directory)].map(({ name }) => name)
      .filter((name) => name !== ".lock").sort();
  }

  /** Path of the only file. */
  get file(): string {
    const [name, ...others] = this.names();
    if (name === undefined || others.length > 0) throw new Error(`found ${this.names()}`);
    return `${this.directory}/${name}`;
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

/** Everything that is in a journal, and what was wrong. */
export async function readAll(
  place: string,
  options: { from?: number | Date; to?: number | Date } = {},
): Promise<{ records: JournalRecord[]; counts: JournalCounts }> {
  const counts = newJournalCounts();
  const records: JournalRecord[] = [];
  for await (const record of readJournal(place, { ...options, counts })) records.push(record);
  return { records, counts };
}

/** Sequences of what is in a journal. */
export async function sequencesIn(place: string): Promise<number[]> {
  return (await readAll(place)).records.map(({ sequence }) => sequence);
}

/** A trade. */
export function tradeOf(tradeId: number, price = 6_168_599): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Trade.sizeBytes);
  const trade = Trade.accessor().wrap(new DataView(bytes.buffer), 0);
  trade.kind = KIND_TRADE;
  trade.instrumentId = 7;
  trade.tradeId = tradeId;
  trade.price = price;
  trade.quantity = 100;
  trade.isBuyerMaker = tradeId % 2 === 0;
  return bytes;
}

/** An engine's event. */
export function eventOf(eventNumber: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(EngineEvent.sizeBytes);
  const event = EngineEvent.accessor().wrap(new DataView(bytes.buffer), 0);
  event.kind = KIND_TRADED;
  event.eventNumber = eventNumber;
  event.engineTimeNs = 12_345.5;
  return bytes;
}
