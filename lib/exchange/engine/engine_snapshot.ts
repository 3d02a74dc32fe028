/**
 * The engine's state as bytes: canonical, so that two engines of the same state write the same, and
 * sealed by their own SHA-256, which is the state's hash. docs/format.md draws it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { defineSchema } from "../../channel/schema.ts";
import { type Book, type Books, keyOf } from "./books.ts";
import { newImage, NONE } from "./order_pool.ts";
import { KIND_ACCEPTED, KIND_REJECTED, REASONS, SIDE_BUY, SIDE_SELL } from "../orders.ts";
import type { Answer, SessionRecord, SessionRecords } from "./session_records.ts";
import { check, readRows, rowOf, Rows } from "../snapshot_rows.ts";

/** What an engine knows. */
export interface EngineState {
  /** Sequence of the last request that was applied; 0 before the first. */
  lastSequence: number;
  /** Number of the last event. */
  lastEventNumber: number;
  /** Number of the last order. */
  lastOrderId: number;
  readonly books: Books;
  readonly sessions: SessionRecords;
}

const MAGIC = "MTENGINE";
const VERSION = 1;
const Header = defineSchema("engineSnapshot", {
  magic: "char[8]",
  version: "u32",
  sessionCount: "u32",
  answerCount: "u32",
  levelCount: "u32",
  orderCount: "u32",
  reserved: "u32",
  lastSequence: "u64",
  lastEventNumber: "u64",
  lastOrderId: "u64",
});

const Session = defineSchema("engineSession", { id: "u64", answerCount: "u32", reserved: "u32" });

const AnswerRecord = defineSchema("engineAnswer", {
  clientSequence: "u64",
  orderId: "u64",
  clientOrderId: "u64",
  kind: "u16",
  reason: "u16",
  reserved: "u32",
});

const Level = defineSchema("engineLevel", {
  instrumentId: "u32",
  side: "u32",
  price: "u64",
  orderCount: "u32",
  reserved: "u32",
});

const Order = defineSchema("engineOrder", {
  sessionId: "u64",
  orderId: "u64",
  clientOrderId: "u64",
  remaining: "u64",
});

/** Highest of `REASONS`. */
const REASON_MAX = Math.max(...Object.values(REASONS));

const SIDES = [SIDE_BUY, SIDE_SELL];

/** Returns a state's bytes without their hash: an image that does not change any more. */
export function imageOf(state: EngineState): Uint8Array<ArrayBuffer> {
  const { books, sessions, lastSequence, lastEventNumber, lastOrderId } = state;
  const levels = books.all.flatMap((book) => SIDES.flatMap((side) => levelsOf(books, book, side)));
  const counts: Counts = {
    sessionCount: sessions.all.length,
    answerCount: sessions.all.reduce((sum, { count }) => sum + count, 0),
    levelCount: levels.length,
    orderCount: books.orders.count,
  };
  const rows = new Rows(new Uint8Array(sizeOf(counts)));
  const numbers = { lastSequence, lastEventNumber, lastOrderId };
  Object.assign(rows.next(header), { magic: MAGIC, version: VERSION, ...counts, ...numbers });
  for (const record of sessions.all.toSorted((a, b) => a.id - b.id)) writeSession(rows, record);
  for (const level of levels) writeLevel(rows, state, level);
  return rows.bytes;
}

/** Returns an image's SHA-256 in hexadecimal. */
export function hashOf(image: Uint8Array): string {
  return createHash("sha256").update(image).digest("hex");
}

/**
 * Reads a snapshot into a state without orders and sessions.
 *
 * @throws {CorruptSnapshotError} If it is damaged, or says what no engine writes. The state is then
 *     of no use.
 * @throws {TypeError} If it has an instrument that the state has not, or more than it has room for.
 */
export function readSnapshot(snapshot: Uint8Array, state: EngineState): void {
  readRows(snapshot, (rows) => readImage(rows, state));
}

const header = rowOf(Header);
const session = rowOf(Session);
const answer = rowOf(AnswerRecord);
const level = rowOf(Level);
const order = rowOf(Order);

interface Counts {
  sessionCount: number;
  answerCount: number;
  levelCount: number;
  orderCount: number;
}

function sizeOf({ sessionCount, answerCount, levelCount, orderCount }: Counts): number {
  return Header.sizeBytes + sessionCount * Session.sizeBytes +
    answerCount * AnswerRecord.sizeBytes +
    levelCount * Level.sizeBytes + orderCount * Order.sizeBytes;
}

/** An order that rests. */
export interface RestingOrder {
  instrumentId: number;
  sessionId: number;
  /** `SIDE_…` */
  side: number;
  price: number;
  orderId: number;
  clientOrderId: number;
  /** Open of it. */
  remaining: number;
}

/** Hands out all orders: book by book, bids before offers, in the order in which they trade. */
export function* restingOrders(
  { books, sessions }: Pick<EngineState, "books" | "sessions">,
): Generator<RestingOrder, void, void> {
  for (const book of books.all) {
    for (const side of SIDES) {
      for (const level of levelsOf(books, book, side)) {
        for (let at = books.levels.first(level); at !== NONE; at = books.orders.next(at)) {
          books.load(at, image);
          const { session, ...order } = image;
          const sessionId = sessions.all[session]!.id;
          yield { ...order, instrumentId: book.instrumentId, sessionId };
        }
      }
    }
  }
}

/** Levels of one side from the best to the worst. */
function levelsOf(books: Books, book: Book, side: number): number[] {
  const ladder = books.ladder(book, side);
  const levels: number[] = [];
  for (let at = ladder.best; at !== NONE; at = ladder.behind(books.levels.key(at))) levels.push(at);
  return levels;
}

const scratch: Answer = { clientSequence: 0, kind: 0, reason: 0, orderId: 0, clientOrderId: 0 };

function writeSession(rows: Rows, record: SessionRecord): void {
  const row = rows.next(session);
  row.id = record.id;
  row.answerCount = record.count;
  for (let i = 0; i < record.count; i++) {
    record.at(i, scratch);
    const row = rows.next(answer);
    row.clientSequence = scratch.clientSequence;
    row.orderId = scratch.orderId;
    row.clientOrderId = scratch.clientOrderId;
    row.kind = scratch.kind;
    row.reason = scratch.reason;
  }
}

function writeLevel(rows: Rows, { books, sessions }: EngineState, place: number): void {
  const { orders, levels } = books;
  const row = rows.next(level);
  const side = levels.side(place);
  row.instrumentId = books.all[side >>> 1]!.instrumentId;
  row.side = SIDES[side & 1]!;
  row.price = levels.price(place);
  let orderCount = 0;
  for (let at = levels.first(place); at !== NONE; at = orders.next(at)) {
    orderCount++;
    const row = rows.next(order);
    row.sessionId = sessions.all[orders.session(at)]!.id;
    row.orderId = orders.orderId(at);
    row.clientOrderId = orders.clientOrderId(at);
    row.remaining = orders.remaining(at);
  }
  row.orderCount = orderCount;
}

function readImage(rows: Rows, state: EngineState): void {
  const row = rows.next(header);
  check(row.magic === MAGIC, "no snapshot");
  check(row.version === VERSION, `version ${row.version}, where ${VERSION} is known`);
  check(row.reserved === 0, "reserved bytes that are not 0");
  const { sessionCount, answerCount, levelCount, orderCount } = row;
  const bytes = sizeOf({ sessionCount, answerCount, levelCount, orderCount });
  check(bytes === rows.bytes.length, "another size than it says");
  state.lastSequence = row.lastSequence;
  state.lastEventNumber = row.lastEventNumber;
  state.lastOrderId = row.lastOrderId;
  for (let i = 0, lastId = 0; i < sessionCount; i++) lastId = readSession(rows, state, lastId);
  for (let i = 0, last: LevelPlace | undefined; i < levelCount; i++) {
    last = readLevel(rows, state, last);
  }
  check(rows.isAtEnd, "other counts than it says");
  for (const book of state.books.all) {
    const bid = state.books.ladder(book, SIDE_BUY).bestKey; // -Infinity without a level,
    const offer = -state.books.ladder(book, SIDE_SELL).bestKey; // and here Infinity.
    check(bid < offer, `a crossed book of instrument ${book.instrumentId}`);
  }
}

/** Reads a session. Returns its id, which must be above that of the one before. */
function readSession(rows: Rows, { sessions, lastOrderId }: EngineState, lastId: number): number {
  const { id, answerCount, reserved } = rows.next(session);
  check(id > lastId && reserved === 0 && answerCount > 0, "a session that no engine writes");
  const record = sessions.obtain(id);
  if (record === undefined) throw unfit("more sessions than maxSessions");
  for (let i = 0; i < answerCount; i++) {
    const row = rows.next(answer);
    const isSound = row.clientSequence > record.lastClientSequence && row.reserved === 0 &&
      row.orderId <= lastOrderId && row.reason <= REASON_MAX &&
      (row.kind === KIND_ACCEPTED || row.kind === KIND_REJECTED);
    check(isSound, `an answer of session ${id} that no engine writes`);
    record.record(row);
  }
  return id;
}

/** A level's place among all: by instrument, side, and key, the best one first. */
interface LevelPlace {
  instrumentId: number;
  side: number;
  key: number;
}

function isBehind(place: LevelPlace, last: LevelPlace | undefined): boolean {
  if (last === undefined) return true;
  if (place.instrumentId !== last.instrumentId) return place.instrumentId > last.instrumentId;
  return place.side === last.side ? place.key < last.key : place.side > last.side;
}

function readLevel(rows: Rows, state: EngineState, last: LevelPlace | undefined): LevelPlace {
  const { instrumentId, side, price, orderCount, reserved } = rows.next(level);
  const book = state.books.find(instrumentId);
  if (book === undefined) throw unfit(`instrument ${instrumentId}, which it was not given`);
  const place = { instrumentId, side, key: keyOf(side, price) };
  const isSound = SIDES.includes(side) && price > 0 && orderCount > 0 && reserved === 0 &&
    isBehind(place, last);
  check(isSound, `a level of instrument ${instrumentId} that no engine writes`);
  for (let i = 0; i < orderCount; i++) {
    image.side = side;
    image.price = price;
    const quantity = readOrder(rows, state, book);
    check(quantity <= Number.MAX_SAFE_INTEGER, `a level of ${quantity}`);
  }
  return place;
}

const image = newImage();

/** Reads an order of the level that the image names. Returns what rests there with it. */
function readOrder(rows: Rows, state: EngineState, book: Book): number {
  const { books, sessions, lastOrderId } = state;
  const row = rows.next(order);
  const record = sessions.find(row.sessionId);
  check(record !== undefined, `an order of session ${row.sessionId}, which is none`);
  image.session = record.index;
  image.orderId = row.orderId;
  image.clientOrderId = row.clientOrderId;
  image.remaining = row.remaining;
  const isSound = image.orderId > 0 && image.orderId <= lastOrderId && image.remaining > 0 &&
    image.clientOrderId > 0 && books.findOrder(image.session, image.clientOrderId) === NONE;
  check(isSound, `an order of session ${row.sessionId} that no engine writes`);
  return books.rest(book, image);
}

function unfit(found: string): TypeError {
  return new TypeError(`Cannot restore a matching engine: found ${found}`);
}
