/**
 * Recorded feeds: one message a line, `<receive time in ns> <JSON>`, plain or gzip.
 *
 * @module
 */

import { createGunzip } from "node:zlib";

/** One recorded message. */
export interface RecordedMessage {
  /**
   * When it was received, in whole microseconds since 1970.
   *
   * The file has nanoseconds, and those of today exceed 2^53. Microseconds are exact as a `number`
   * until the year 2255, and no wall clock is right to a microsecond, so nothing is lost that was
   * known; a second number for the rest would burden every caller.
   */
  readonly receiveUs: number;
  /** The message as the exchange sent it. It may be anything: nothing has parsed it. */
  readonly json: string;
}

/** What was wrong in a recording. Give one to {@linkcode readRecording} to see it. */
export interface RecordingCounts {
  /** Messages handed out. */
  messages: number;
  /** Lines left out: no time, no message, or longer than 16 MiB. */
  malformed: number;
  /** 1 if the end was cut off, within a line or within the compressed data. */
  torn: number;
}

/**
 * Longest line. Arbitrary: fifty times a snapshot of 5,000 levels; ends a file without newlines.
 */
const LINE_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Nanoseconds since 1970 have 19 digits from 2001 on; fewer are no receive time. */
const RECEIVE_TIME = /^[0-9]{19}$/;

/** Zeroed counts for {@linkcode readRecording}. */
export function newRecordingCounts(): RecordingCounts {
  return { messages: 0, malformed: 0, torn: 0 };
}

/**
 * Reads one line of a recording.
 *
 * @param line Without its newline.
 * @returns The message, or undefined if the line has not the form of one.
 */
export function parseRecordingLine(line: string): RecordedMessage | undefined {
  const space = line.indexOf(" ");
  const time = line.slice(0, Math.max(0, space));
  if (!RECEIVE_TIME.test(time) || space + 1 === line.length) return undefined;
  const receiveUs = Number(time.slice(0, -3));
  return Number.isSafeInteger(receiveUs) ? { receiveUs, json: line.slice(space + 1) } : undefined;
}

/**
 * Reads a recording message by message, in constant memory.
 *
 * Malformed lines are left out and counted. A file that was cut off gives every whole message
 * before the cut; its last line counts as whole if a newline or complete JSON says so.
 *
 * @param source A file, or its bytes as a stream. Gzip is recognised by its first bytes.
 * @param counts Receives what was read and what was wrong.
 * @throws {Deno.errors.NotFound} If there is no such file, when the first message is asked for;
 * other errors of reading likewise. Damaged or cut gzip data is no error but `counts.torn`.
 */
export async function* readRecording(
  source: string | URL | ReadableStream<Uint8Array>,
  counts: RecordingCounts = newRecordingCounts(),
): AsyncGenerator<RecordedMessage> {
  const bytes = source instanceof ReadableStream ? source : (await Deno.open(source)).readable;
  const lines = new LineSplitter(counts);
  for await (const text of decodedText(bytes, counts)) {
    for (const line of lines.split(text)) {
      const message = parseRecordingLine(line);
      if (message === undefined) counts.malformed++;
      else {
        counts.messages++;
        yield message;
      }
    }
  }
  const last = lines.rest === "" ? undefined : parseRecordingLine(lines.rest);
  if (last !== undefined && isJson(last.json)) {
    counts.messages++;
    yield last;
  } else if (lines.rest !== "") {
    counts.torn = 1;
  }
}

/** Cuts text into lines and keeps the rest for the next piece. */
class LineSplitter {
  rest = "";
  readonly #counts: RecordingCounts;
  #isSkipping = false;

  constructor(counts: RecordingCounts) {
    this.#counts = counts;
  }

  *split(text: string): Generator<string> {
    let start = 0;
    let end = text.indexOf("\n");
    if (end >= 0 && this.#isSkipping) {
      this.#isSkipping = false;
      start = end + 1;
      end = text.indexOf("\n", start);
    }
    for (; end >= 0; end = text.indexOf("\n", start)) {
      yield this.rest + text.slice(start, end);
      this.rest = "";
      start = end + 1;
    }
    if (this.#isSkipping) return;
    this.rest += text.slice(start);
    if (this.rest.length <= LINE_CHARACTERS_MAX) return;
    this.#counts.malformed++;
    this.#isSkipping = true;
    this.rest = "";
  }
}

async function* decodedText(
  bytes: ReadableStream<Uint8Array>,
  counts: RecordingCounts,
): AsyncGenerator<string> {
  const [sniffed, isGzip] = await sniffGzip(bytes);
  const decoder = new TextDecoder();
  for await (const chunk of isGzip ? gunzipped(sniffed, counts) : sniffed) {
    yield decoder.decode(chunk, { stream: true });
  }
  yield decoder.decode();
}

/**
 * Decompresses gzip data of any number of members, which is what appending to a file gives.
 *
 * Not by `DecompressionStream`: it takes a second member for damage, and keeps back what it had
 * decompressed before.
 */
async function* gunzipped(
  bytes: ReadableStream<Uint8Array>,
  counts: RecordingCounts,
): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  let pieces: Uint8Array[] = [];
  gunzip.on("data", (piece: Uint8Array) => pieces.push(piece));
  const end = new Promise<void>((resolve) => {
    gunzip.once("end", resolve);
    gunzip.once("error", () => {
      counts.torn = 1;
      resolve();
    });
  });
  try {
    for await (const chunk of bytes) {
      await new Promise<void>((resolve) => gunzip.write(chunk, () => resolve()));
      yield* pieces;
      pieces = [];
      if (counts.torn > 0) return;
    }
    gunzip.end();
    await end;
    yield* pieces;
  } finally {
    gunzip.destroy();
  }
}

/** Looks at the first bytes and gives back a stream that still begins with them. */
async function sniffGzip(
  bytes: ReadableStream<Uint8Array>,
): Promise<[ReadableStream<Uint8Array>, boolean]> {
  const reader = bytes.getReader();
  let head = new Uint8Array(0);
  while (head.length < 2) {
    const { value, done } = await reader.read();
    if (done) break;
    const longer = new Uint8Array(head.length + value.length);
    longer.set(head);
    longer.set(value, head.length);
    head = longer;
  }
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(head),
    async pull(controller) {
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return [stream, head[0] === 0x1f && head[1] === 0x8b];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
