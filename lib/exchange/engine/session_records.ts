/**
 * What the engine remembers of each session: so that a request that is sent again is answered
 * again, and never executed twice.
 *
 * @module
 */

import { IdTable } from "./id_table.ts";

/** The first answer to a request. */
export interface Answer {
  /** Of the request. */
  clientSequence: number;
  /** `KIND_ACCEPTED` or `KIND_REJECTED`. */
  kind: number;
  /** `REASONS`, of a rejection. */
  reason: number;
  /** The order's number; 0 if there is none. */
  orderId: number;
  /** The order's client order id. */
  clientOrderId: number;
}

/** Answers that a record has room for at first; it doubles up to the limit. */
const ANSWERS_MIN = 8;

/** `f64` of an answer: client sequence, order id, client order id, kind + 65536 × reason. */
const ANSWER_DOUBLES = 4;
const CLIENT_SEQUENCE = 0;
const ORDER_ID = 1;
const CLIENT_ORDER_ID = 2;
const KIND_AND_REASON = 3;
const REASON_SHIFT = 16;

/** One session: how far its requests are applied, and the last answers. */
export class SessionRecord {
  /** Its id. */
  readonly id: number;
  /** Its place among the records. */
  readonly index: number;
  /** Client sequence of the last request that was applied; 0 before the first. */
  lastClientSequence = 0;
  readonly #limit: number;
  #answers: Float64Array;
  /** Answers that were ever recorded here, and where the next one goes. */
  #recorded = 0;
  #next = 0;

  constructor(id: number, index: number, limit: number) {
    this.id = id;
    this.index = index;
    this.#limit = limit;
    this.#answers = new Float64Array(Math.min(ANSWERS_MIN, limit) * ANSWER_DOUBLES);
  }

  /** Answers that are kept. */
  get count(): number {
    return Math.min(this.#recorded, this.#limit);
  }

  /** Keeps an answer, instead of the oldest one if there are too many. */
  record(answer: Answer): void {
    const isFull = this.#recorded * ANSWER_DOUBLES === this.#answers.length;
    if (isFull && this.#recorded < this.#limit) this.#grow();
    const at = this.#next;
    this.#recorded++;
    this.#next = at + ANSWER_DOUBLES === this.#limit * ANSWER_DOUBLES ? 0 : at + ANSWER_DOUBLES;
    this.lastClientSequence = answer.clientSequence;
    this.#answers[at + CLIENT_SEQUENCE] = answer.clientSequence;
    this.#answers[at + ORDER_ID] = answer.orderId;
    this.#answers[at + CLIENT_ORDER_ID] = answer.clientOrderId;
    this.#answers[at + KIND_AND_REASON] = answer.kind + (answer.reason << REASON_SHIFT);
  }

  /** Reads an answer. False if the request was never applied, or its answer is not kept. */
  find(clientSequence: number, into: Answer): boolean {
    let low = this.#recorded - this.count;
    for (let high = this.#recorded; low < high;) {
      const middle = Math.floor((low + high) / 2);
      const found = this.#answers[this.#placeOf(middle) + CLIENT_SEQUENCE]!;
      if (found < clientSequence) low = middle + 1;
      else high = middle;
    }
    if (low === this.#recorded) return false;
    this.#read(low, into);
    return into.clientSequence === clientSequence;
  }

  /** Reads the answer at an index: 0 is the oldest one. */
  at(index: number, into: Answer): void {
    this.#read(this.#recorded - this.count + index, into);
  }

  #read(number: number, into: Answer): void {
    const at = this.#placeOf(number);
    const kindAndReason = this.#answers[at + KIND_AND_REASON]!;
    into.clientSequence = this.#answers[at + CLIENT_SEQUENCE]!;
    into.orderId = this.#answers[at + ORDER_ID]!;
    into.clientOrderId = this.#answers[at + CLIENT_ORDER_ID]!;
    into.kind = kindAndReason & 0xffff;
    into.reason = kindAndReason >>> REASON_SHIFT;
  }

  #placeOf(number: number): number {
    return number % this.#limit * ANSWER_DOUBLES;
  }

  #grow(): void {
    const capacity = Math.min(this.#limit, this.#recorded * 2);
    const answers = new Float64Array(capacity * ANSWER_DOUBLES);
    answers.set(this.#answers);
    this.#answers = answers;
  }
}

/** How much is remembered. */
export interface SessionLimits {
  /** Sessions. */
  maxSessions: number;
  /** Answers of each. */
  answersKept: number;
}

/** The records of all sessions. Thread and cost: as the engine's. */
export class SessionRecords {
  /** In the order in which they came. */
  readonly all: SessionRecord[] = [];
  readonly #limits: SessionLimits;
  readonly #byId = new IdTable();

  constructor(limits: SessionLimits) {
    this.#limits = limits;
  }

  /** Returns a session's record, if it has one. */
  find(id: number): SessionRecord | undefined {
    return this.all[this.#byId.find(0, id)];
  }

  /** Returns a session's record, a new one if it has none; undefined if there is no room. */
  obtain(id: number): SessionRecord | undefined {
    const known = this.find(id);
    if (known !== undefined) return known;
    if (this.all.length === this.#limits.maxSessions) return undefined;
    const record = new SessionRecord(id, this.all.length, this.#limits.answersKept);
    this.#byId.set(0, id, record.index);
    this.all.push(record);
    return record;
  }
}
