// Applies a flow of requests to matching engines in this process, and times it.
import { EventWriter } from "../lib/exchange/engine/event_writer.ts";
import { KIND_ACCEPTED, MatchingEngine, OrderRequest } from "../lib/exchange/mod.ts";
import { newImage } from "../lib/exchange/engine/order_pool.ts";
import { RequestFields } from "../lib/exchange/engine/request_fields.ts";
import { ENGINE_OPTIONS, type FlowOptions, makeFlow, type OrderFlow } from "./_order_flow.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do. */
export interface EngineJob {
  core: number | undefined;
  flow: FlowOptions;
  repetitions: number;
}

/** Figures of one book. */
export interface EngineTimings {
  openOrders: number;
  levels: number;
  eventsPerRequest: number;
  /** Nanoseconds a request, one for each repetition: of the floor, and of the engine. */
  floorNs: number[];
  engineNs: number[];
  snapshotBytes: number;
  /** Milliseconds: until the image is made, for which the engine stands still; and to the hash. */
  imageMs: number[];
  snapshotMs: number[];
  restoreMs: number[];
}

const SIZE = OrderRequest.sizeBytes;

const { flow: options, repetitions } = takeJob<EngineJob>();
const flow = makeFlow(options);
const snapshot = fill(flow);
const timings: EngineTimings = {
  ...{ openOrders: 0, levels: 0, eventsPerRequest: 0, snapshotBytes: snapshot.length },
  ...{ floorNs: [], engineNs: [], imageMs: [], snapshotMs: [], restoreMs: [] },
};
ready();
let wrong = 0;
let hash: string | undefined;
for (let i = 0; i <= repetitions; i++) {
  const { engine, events } = measure(i > 0);
  hash ??= engine.stateHash();
  if (engine.stateHash() !== hash || engine.lastEventNumber === 0) wrong++;
  timings.eventsPerRequest = events / options.requests;
  timings.openOrders = engine.openOrders;
  timings.levels = levelsOf(engine);
}
checkAnswers(wrong);
answer(timings);

/** A snapshot of the book that the flow begins with. */
function fill({ view, fill }: OrderFlow): Uint8Array<ArrayBuffer> {
  const engine = new MatchingEngine({ ...ENGINE_OPTIONS, onEvent: () => {} });
  for (let i = 0; i < fill; i++) engine.apply(view, i * SIZE, i + 1);
  return join([...engine.snapshot()]);
}

function join(parts: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function levelsOf(engine: MatchingEngine): number {
  let levels = 0;
  let last = 0;
  for (const { side, price } of engine.restingOrders()) {
    const level = price * 2 + side;
    if (level !== last) levels++;
    last = level;
  }
  return levels;
}

/** Restores the book, applies the flow, and takes a snapshot. The first time is a warm-up. */
function measure(counts: boolean): { engine: MatchingEngine; events: number } {
  let events = 0;
  const times: number[] = [performance.now()];
  const lap = () => times.push(performance.now());
  const engine = MatchingEngine.restore(snapshot, { ...ENGINE_OPTIONS, onEvent: () => events++ });
  lap();
  const { view, fill } = flow;
  const end = fill + options.requests;
  for (let i = fill; i < end; i++) engine.apply(view, i * SIZE, i + 1);
  lap();
  runFloor(events / options.requests);
  lap();
  const parts = engine.snapshot()[Symbol.iterator]();
  lap();
  while (!parts.next().done);
  lap();
  if (counts) {
    const [restore = 0, apply = 0, floor = 0, image = 0, rest = 0] = times.slice(1)
      .map((time, i) => time - times[i]!);
    timings.restoreMs.push(restore);
    timings.engineNs.push(apply * 1e6 / options.requests);
    timings.floorNs.push(floor * 1e6 / options.requests);
    timings.imageMs.push(image);
    timings.snapshotMs.push(image + rest);
  }
  return { engine, events };
}

/** Reads and checks the same requests, and writes as many events, but matches nothing. */
function runFloor(eventsPerRequest: number): void {
  const { view, fill } = flow;
  let events = 0;
  const writer = new EventWriter(() => events++);
  const request = new RequestFields();
  const image = newImage();
  const end = fill + options.requests;
  let due = 0;
  for (let i = fill; i < end; i++) {
    request.read(view, i * SIZE);
    if (request.check() !== 0) wrong++;
    writer.begin(request, i + 1);
    image.side = request.side;
    image.clientOrderId = request.clientOrderId;
    image.price = request.price;
    image.orderId = i;
    for (due += eventsPerRequest; due >= 1; due--) {
      writer.write(KIND_ACCEPTED, image).amounts(request.quantity, request.quantity);
    }
    writer.end();
  }
  if (Math.abs(events / options.requests - eventsPerRequest) > 0.1) wrong++;
}
