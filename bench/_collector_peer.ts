// Takes a feed through parse, normalise and publish, and times each kind of message by itself.
import {
  BinanceNormaliser,
  BookTicker,
  generateFeed,
  KIND_BOOK_TICKER,
  KIND_ORDER_BOOK_DELTA,
  messageKind,
  OrderBook,
  parseRecordingLine,
  readRecording,
  type RecordSink,
  ScratchSink,
  TickerOracle,
  UNTOLD_SCALES,
} from "../lib/market/mod.ts";
import {
  type Channel,
  type Claim,
  type Message,
  openChannel,
  openConsumer,
  openProducer,
  type Producer,
} from "../mod.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do. */
export interface CollectorJob {
  core: number | undefined;
  channel: { name: string; path: string };
  /** A recording, or how many messages of a made-up feed. */
  feed: { path: string } | { seed: number; messages: number };
  /** Timings of each kind and way, and messages that each takes at most. */
  repetitions: number;
  messagesMax: number;
}

/** Figures of one kind of message. */
export interface CollectorTimings {
  kind: string;
  messages: number;
  /** Mean length of the JSON, records that a message becomes, and price levels that it has. */
  jsonBytes: number;
  records: number;
  levels: number;
  /** Nanoseconds a message, one for each timing: of `JSON.parse`, without a ring, and with it. */
  parseNs: number[];
  normaliseNs: number[];
  publishNs: number[];
  /** Bytes of V8's heap that a message takes. */
  parseHeapBytes: number;
  publishHeapBytes: number;
}

const SYMBOL = "BTCUSDT";
const INSTRUMENTS = { find: () => ({ id: 1, symbol: SYMBOL, ...UNTOLD_SCALES }) };
/** Messages between two looks at the heap: few, so that it is rarely collected between them. */
const HEAP_CHUNK = 200;

/** Claims each record in the ring, where the normaliser then writes it. */
class RingSink implements RecordSink {
  view = new DataView(new ArrayBuffer(0));
  offset = 0;
  readonly #producer: Producer;
  #claim: Claim | undefined;

  constructor(producer: Producer) {
    this.#producer = producer;
  }

  claim(sizeBytes: number): boolean {
    const claim = this.#producer.tryClaim(sizeBytes);
    if (claim === undefined) return false;
    this.#claim = claim;
    this.view = claim.view;
    this.offset = claim.offset;
    return true;
  }

  publish(): void {
    this.#claim!.publish();
  }
}

async function readMessages({ feed }: CollectorJob): Promise<string[]> {
  if ("path" in feed) return await Array.fromAsync(readRecording(feed.path), ({ json }) => json);
  return [...generateFeed(feed)].map((line) => parseRecordingLine(line)!.json);
}

/** Everything once, with a consumer that builds the book. Returns what was wrong. */
function verify(channel: Channel, sink: RecordSink, messages: readonly string[]): number {
  const oracle = new TickerOracle();
  const book = new OrderBook(1, { onApplied: (book) => oracle.addBook(book) });
  const ticker = BookTicker.accessor();
  using consumer = openConsumer(channel, { from: "latest" });
  const normaliser = new BinanceNormaliser({ sink, instruments: INSTRUMENTS, symbol: SYMBOL });
  let [published, taken] = [0, 0];
  const take = ({ view, offset, length }: Message) => {
    taken++;
    const kind = messageKind(view, offset);
    if (kind === KIND_ORDER_BOOK_DELTA) book.apply(view, offset, length);
    if (kind !== KIND_BOOK_TICKER) return;
    const { updateId, bidPrice, bidQuantity, askPrice, askQuantity } = ticker.wrap(view, offset);
    oracle.addTicker(updateId, bidPrice, bidQuantity, askPrice, askQuantity);
  };
  for (const json of messages) {
    published += normaliser.normalise(json, 0);
    while (consumer.poll(take) > 0);
  }
  oracle.finish();
  const { trades, depthUpdates, bookTickers, snapshots } = normaliser.counts;
  const lost = messages.length - trades - depthUpdates - bookTickers - snapshots;
  const isBuilt = book.isInStep && oracle.counts.tickerChecked > 0;
  return lost + published - taken + oracle.counts.tickerWrong + (isBuilt ? 0 : 1);
}

/** Nanoseconds that each message took. */
function time(messages: readonly string[], work: (json: string) => void): number {
  const startMs = performance.now();
  for (const json of messages) work(json);
  return (performance.now() - startMs) * 1e6 / messages.length;
}

/** Heap bytes that a message takes, without what looking at the heap takes. */
function heapBytes(messages: readonly string[], work: (json: string) => void): number {
  return Math.max(0, heapGrowth(messages, work) - heapGrowth(messages, () => {}));
}

/** Of several chunks the one in the middle: a collection in between hides what it has freed. */
function heapGrowth(messages: readonly string[], work: (json: string) => void): number {
  const grown: number[] = [];
  for (let at = 0; at + HEAP_CHUNK <= messages.length; at += HEAP_CHUNK) {
    const chunk = messages.slice(at, at + HEAP_CHUNK);
    const before = Deno.memoryUsage().heapUsed;
    for (const json of chunk) work(json);
    grown.push(Deno.memoryUsage().heapUsed - before);
  }
  const sorted = grown.toSorted((a, b) => a - b);
  return (sorted[sorted.length >> 1] ?? 0) / HEAP_CHUNK;
}

function measure(job: CollectorJob, sink: RecordSink, all: readonly string[]): CollectorTimings[] {
  const scratch = new ScratchSink(() => {});
  const symbol = SYMBOL;
  const dry = new BinanceNormaliser({ sink: scratch, instruments: INSTRUMENTS, symbol });
  const wet = new BinanceNormaliser({ sink, instruments: INSTRUMENTS, symbol });
  let parsed = 0;
  const parse = (json: string) => void (parsed += JSON.parse(json) === null ? 0 : 1);
  const normalise = (json: string) => void dry.normalise(json, 0);
  let records = 0;
  const publish = (json: string) => void (records += wet.normalise(json, 0));
  const groups = [["trade", '"e":"trade"'], ["depth update", '"e":"depthUpdate"']].map(
    ([kind, mark]) => {
      const messages = all.filter((json) => json.includes(mark!)).slice(0, job.messagesMax);
      const levels = messages.join("").split('["').length - 1;
      return { kind: kind!, messages, levels: levels / messages.length };
    },
  );
  const timings = groups.map(({ kind, messages, levels }): CollectorTimings => ({
    kind,
    messages: messages.length,
    jsonBytes: messages.join("").length / messages.length,
    records: 0,
    levels,
    ...{ parseNs: [], normaliseNs: [], publishNs: [], parseHeapBytes: 0, publishHeapBytes: 0 },
  }));
  // The first timing of each warms up. In turns, so that a slow moment falls on all alike.
  for (let timing = 0; timing <= job.repetitions; timing++) {
    for (const [index, { messages }] of groups.entries()) {
      const found = timings[index]!;
      records = 0;
      const times = [time(messages, parse), time(messages, normalise), time(messages, publish)];
      found.records = records / messages.length;
      if (timing === 0) continue;
      found.parseNs.push(times[0]!);
      found.normaliseNs.push(times[1]!);
      found.publishNs.push(times[2]!);
    }
  }
  for (const [index, { messages }] of groups.entries()) {
    timings[index]!.parseHeapBytes = heapBytes(messages, parse);
    timings[index]!.publishHeapBytes = heapBytes(messages, publish);
  }
  checkAnswers(wet.counts.messages - wet.counts.trades - wet.counts.depthUpdates);
  checkAnswers(parsed === wet.counts.messages ? 0 : 1);
  return timings;
}

if (import.meta.main) {
  const job = takeJob<CollectorJob>();
  const messages = await readMessages(job);
  using channel = openChannel(job.channel.name);
  const sink = new RingSink(openProducer(channel, { view: true }));
  ready();
  checkAnswers(verify(channel, sink, messages));
  answer(measure(job, sink, messages));
}
