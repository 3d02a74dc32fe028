/**
 * `mt tail`: the newest messages of a channel, and those that come.
 *
 * @module
 */

import type { Command } from "commander";
import { resolve } from "node:path";
import { type Channel, openChannel } from "../../mod.ts";
import { isFailure, ScriptError, UsageError } from "../_command.ts";
import { write } from "../_output.ts";
import { formatCount } from "../_table.ts";
import { Decoder } from "../records/decoder.ts";
import { ChannelSource, type Item, readLogTo, segmentStarts } from "../records/channel_source.ts";
import { type End, placeOf, type PlaceOptions, withHint } from "./_frame.ts";
import { toPlace } from "./_journal.ts";
import { messageLine, noteLine } from "./_tail_lines.ts";
import { type Condition, parseCondition } from "./_where.ts";

/** Options of the command, as they were typed. */
interface TailOptions extends PlaceOptions {
  lines: string;
  follow?: boolean;
  from?: string;
  to?: string;
  limit?: string;
  where?: string[];
  layout?: string;
  log?: boolean;
  walDir?: string;
}

/** Adds the command. */
export function addTail(program: Command, end: End): void {
  program.command("tail")
    .description("print the newest messages of a channel, decoded, and with -f those that come")
    .argument("<channel>", "its name")
    .option("-n, --lines <count>", "newest messages to print", "10")
    .option("-f, --follow", "go on with what comes, until SIGTERM or SIGINT")
    .option("--from <first>", "print from here on: a sequence, or a time such as 2026-01-31T12:00Z")
    .option("--to <last>", "print up to here: a sequence, or a time")
    .option("--limit <count>", "end after so many messages")
    .option(
      "--where <condition>",
      "only messages whose field is so: price>100, side=1, layout~book; may be repeated",
      (text: string, others: string[] = []) => [...others, text],
    )
    .option("--layout <name>", 'read messages by this layout; "mt layouts" names them')
    .option("--log", "read the channel's log alone")
    .option("--wal-dir <dir>", "read the log in <dir>/<channel> alone; needs no ring")
    .option("--directory <dir>", "directory of the ring files (default: that of all channels)")
    .option("--json", "print one JSON object for each message, gap and damage, a line each")
    .addHelpText("after", HELP)
    .action(async (name: string, options: TailOptions) => end(await tail(name, options)));
}

const HELP = `
Looks only: nobody is slowed, nothing is written. A gap is what producers have
overwritten before it was read; damage is named and passed.
Exit status: 0 done, 1 something was damaged or cannot be read, 2 wrong arguments.`;

/** Milliseconds between two looks whether the channel is still there. */
const LOOK_MS = 500;

/** What cannot be read is told in a line; a defect of ours keeps its stack. */
async function tail(name: string, options: TailOptions): Promise<number> {
  try {
    return await tailPlace(name, options);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof UsageError) throw error;
    if (error instanceof RangeError) throw new UsageError(error.message);
    if (!isFailure(error)) throw error;
    throw new ScriptError(options.walDir === undefined ? withHint(error) : error.message);
  }
}

async function tailPlace(name: string, options: TailOptions): Promise<number> {
  const { log, walDir, follow } = options;
  if (follow && (log || walDir !== undefined)) {
    throw new UsageError(
      "Cannot follow a log alone: leave --log and --wal-dir out; what has left the ring is read " +
        "in the log anyway",
    );
  }
  if (walDir !== undefined) return tailLog(`${resolve(walDir)}/${name}`, options, "");
  using channel = openChannel(name, { ...placeOf(options), readOnly: true, prefault: false });
  if (log) {
    if (channel.logDirectory === undefined) {
      throw new ScriptError(`Cannot read the log of channel "${name}": found that it has none`);
    }
    return tailLog(channel.logDirectory, options, channel.schemaText);
  }
  return await tailChannel(channel, options);
}

/** Reads what is there from the outside, then what comes. */
async function tailChannel(channel: Channel, options: TailOptions): Promise<number> {
  const printer = new Printer(channel.schemaText, options);
  const { nextSequence } = channel.stats();
  using source = new ChannelSource(channel);
  const sink = (item: Item) => printer.take(item);
  const oldest = source.seek(printer.begin(nextSequence));
  if (printer.first !== undefined && printer.first < oldest) {
    sink({ kind: "gap", gap: { from: printer.first, to: oldest - 1 } });
  }
  let isWanted = source.read(sink);
  isWanted = printer.endWindow() && isWanted;
  if (!options.follow) return printer.end();
  const stopped = Promise.withResolvers<"stopped">();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stopped.resolve("stopped"));
  }
  while (isWanted) {
    if (await Promise.race([source.wait(LOOK_MS), stopped.promise]) === "stopped") break;
    isWanted = source.read(sink) && printer.flush();
    if (!channel.stats().hasName) {
      throw new ScriptError(
        `Cannot follow channel "${channel.name}" any more: found that its file was removed`,
      );
    }
  }
  return printer.status;
}

/** Reads a log alone, from as few segments back as it takes. */
function tailLog(directory: string, options: TailOptions, schemaText: string): number {
  const printer = new Printer(schemaText, options);
  const sink = (item: Item) => printer.take(item);
  const starts = printer.first === undefined ? segmentStarts(directory) : [printer.first];
  for (let back = 1;; back *= 2) {
    const from = starts[back - 1];
    printer.restart();
    readLogTo(directory, from === undefined ? {} : { from }, sink);
    if (from === undefined || printer.isFull || printer.first !== undefined) break;
  }
  printer.endWindow();
  return printer.end();
}

/** Selects what is to be printed, keeps the newest of what was there, and prints. */
class Printer {
  readonly #decoder: Decoder;
  readonly #conditions: Condition[];
  readonly #isJson: boolean;
  readonly #from: number | Date | undefined;
  readonly #to: number | Date | undefined;
  readonly #lines: number;
  readonly #follows: boolean;
  #left: number;
  /** Lines of the newest messages of those that were there, while they are read. */
  #window: string[] | undefined;
  /** Sequence behind what was there. */
  #end = Infinity;
  #text = "";
  #isDamaged = false;
  /** Messages that have met the conditions, and that have not. */
  #met = 0;
  #unmet = 0;

  constructor(schemaText: string, options: TailOptions) {
    const { where = [], layout, json, from, to, lines, limit, follow = false } = options;
    this.#follows = follow;
    this.#decoder = new Decoder(schemaText, layout);
    this.#conditions = where.map((text) => parseCondition(text, this.#decoder.fieldNames));
    this.#isJson = json ?? false;
    this.#from = from === undefined ? undefined : toPlace("from", from);
    this.#to = to === undefined ? undefined : toPlace("to", to);
    this.#lines = toCount("lines", lines);
    this.#left = limit === undefined ? Infinity : toCount("limit", limit);
    if (from === undefined) this.#window = [];
  }

  /** Sequence to begin with; undefined if that is to be found. */
  get first(): number | undefined {
    return typeof this.#from === "number" ? Math.max(1, this.#from) : undefined;
  }

  /** 1 if something was damaged. */
  get status(): number {
    return Number(this.#isDamaged);
  }

  /** Says if no message met the conditions, as in an empty channel. Returns the status. */
  end(): number {
    if (this.#unmet > 0 && this.#met === 0) {
      console.error(`Found no such message among ${formatCount(this.#unmet)}`);
    }
    return this.status;
  }

  /** Whether there are as many lines as are wanted of what was there. */
  get isFull(): boolean {
    return this.#window !== undefined && this.#window.length >= this.#lines;
  }

  /** Where to begin to read a channel whose next message is that one. */
  begin(next: number): number {
    this.#end = next;
    if (this.first !== undefined) return Math.min(this.first, next);
    // Without conditions each sequence is a line, but for those of the library's own.
    const isDated = [this.#from, this.#to].some((place) => place instanceof Date);
    const isPlain = this.#conditions.length === 0 && !isDated;
    const last = typeof this.#to === "number" ? Math.min(next, this.#to + 1) : next;
    return isPlain ? Math.max(1, last - 2 * this.#lines) : 1;
  }

  /** Forgets what was read, which comes again with more before it. */
  restart(): void {
    this.#window = this.#from === undefined ? [] : undefined;
    this.#isDamaged = false;
    this.#met = this.#unmet = 0;
  }

  /** Takes what was read. False if no more is wanted. */
  take(item: Item): boolean {
    if (this.#left === 0) return false;
    if (item.kind !== "message") {
      this.#isDamaged ||= item.kind === "damage";
      return this.#add(noteLine(item, this.#isJson), 0);
    }
    const { message, publishTimeUs } = item;
    if (message.sequence >= this.#end) {
      if (!this.#follows) return false; // Producers may be faster than we are.
      if (this.#window !== undefined && !this.endWindow()) return false;
    }
    if (this.#isBefore(message.sequence, publishTimeUs)) return true;
    if (this.#isBehind(message.sequence, publishTimeUs)) return false;
    const decoded = this.#decoder.decode(message.view, message.offset, message.length);
    const isMet = this.#conditions.length === 0 ||
      decoded !== undefined && this.#conditions.every((meets) => meets(decoded));
    if (!isMet) {
      this.#unmet++;
      return true;
    }
    this.#met++;
    return this.#add(messageLine(message, publishTimeUs, decoded, this.#isJson), 1);
  }

  #isBefore(sequence: number, timeUs: number): boolean {
    const from = this.#from;
    return from instanceof Date ? timeOf(timeUs) < from.getTime() : sequence < (from ?? 0);
  }

  #isBehind(sequence: number, timeUs: number): boolean {
    const to = this.#to;
    return to instanceof Date ? timeOf(timeUs) > to.getTime() : sequence > (to ?? Infinity);
  }

  #add(line: string, count: number): boolean {
    if (this.#window !== undefined) {
      this.#window.push(line);
      if (this.#window.length > this.#lines) this.#window.shift();
      return true;
    }
    this.#text += `${line}\n`;
    this.#left -= count;
    return this.#left > 0 && this.#text.length < FLUSHED_CHARACTERS || this.flush();
  }

  /** Prints the newest of what was there; from now on everything. False if no more is wanted. */
  endWindow(): boolean {
    const lines = this.#window ?? [];
    this.#window = undefined;
    for (const line of lines) if (!this.#add(line, 1)) return false;
    return this.flush();
  }

  /** Prints. False if no more is wanted, or nobody reads. */
  flush(): boolean {
    const text = this.#text;
    this.#text = "";
    return (text === "" || write(text)) && this.#left > 0;
  }
}

/** Characters of lines that are printed together. */
const FLUSHED_CHARACTERS = 64 * 1024;

function timeOf(publishTimeUs: number): number {
  if (publishTimeUs !== 0) return publishTimeUs / 1000;
  throw new UsageError(
    "Cannot select messages by time: found none that say when they were published (a log read " +
      "alone, or a channel without timestamps); use a sequence",
  );
}

function toCount(option: string, text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new UsageError(`Cannot use --${option} "${text}": expected a number of messages`);
}
