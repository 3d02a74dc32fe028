/**
 * A matching engine that is slow and obvious: open orders are objects in an array, which is sorted
 * anew for each order that could trade. What the real one does is compared with it.
 *
 * @module
 */

import * as x from "../lib/exchange/mod.ts";
import { type Event, readEvent, type Request } from "./_exchange.ts";

const R = x.REASONS;
const MAX = Number.MAX_SAFE_INTEGER;

/** An order that rests, or is about to. */
export interface ModelOrder {
  instrumentId: number;
  sessionId: number;
  side: number;
  orderId: number;
  clientOrderId: number;
  price: number;
  remaining: number;
  /** When it took its place: a counter. */
  time: number;
}

/** The first answer to a request. */
interface ModelAnswer {
  clientSequence: number;
  answerKind: number;
  reason: number;
  orderId: number;
  clientOrderId: number;
}

/** How much it takes. */
export interface ModelLimits {
  maxOpenOrders: number;
  maxSessions: number;
  answersKept: number;
}

const empty = readEvent(new DataView(new ArrayBuffer(x.EngineEvent.sizeBytes)), 0);

/** The model. */
export class EngineModel {
  /** Open orders, in no order. */
  open: ModelOrder[] = [];
  readonly #limits: ModelLimits;
  readonly #instruments: number[];
  readonly #answers = new Map<number, ModelAnswer[]>();
  #events: Event[] = [];
  #eventCount = 0;
  #requestCount = 0;
  #orderCount = 0;
  #clock = 0;
  #request!: Request;

  constructor(instruments: number[], limits: ModelLimits) {
    this.#instruments = instruments;
    this.#limits = limits;
  }

  /** Applies a request. Returns its events. */
  send(request: Request): Event[] {
    this.#request = request;
    this.#requestCount++;
    this.#events = [];
    this.#take();
    this.#events.at(-1)!.flags |= x.EVENT_LAST;
    return this.#events;
  }

  #tell(fields: Partial<Event>): void {
    const { instrumentId, sessionId, clientSequence, intendedTimeNs, gatewayTimeNs } =
      this.#request;
    this.#events.push({
      ...empty,
      ...{ instrumentId, sessionId: Math.max(0, sessionId), clientSequence },
      ...{ intendedTimeNs, gatewayTimeNs, orderSequence: this.#requestCount },
      eventNumber: ++this.#eventCount,
      ...fields,
    });
  }

  #take(): void {
    const { kind, side, sessionId, clientSequence, clientOrderId, targetOrderId } = this.#request;
    const subject = Math.max(0, kind === x.KIND_CANCEL_ORDER ? targetOrderId : clientOrderId);
    const refused = { kind: x.KIND_REJECTED, side: side > 2 ? 0 : side, clientOrderId: subject };
    if (sessionId < 1 || clientSequence < 1) {
      return this.#tell({ ...refused, reason: R.badOrder });
    }
    if (!this.#answers.has(sessionId)) {
      if (this.#answers.size === this.#limits.maxSessions) {
        return this.#tell({ ...refused, reason: R.engineFull });
      }
      this.#answers.set(sessionId, []);
    }
    const answers = this.#answers.get(sessionId)!;
    if (clientSequence <= (answers.at(-1)?.clientSequence ?? 0)) {
      const known = answers.find((answer) => answer.clientSequence === clientSequence);
      return this.#tell(
        known ? { ...known, kind: x.KIND_DUPLICATE } : { ...refused, reason: R.tooOld },
      );
    }
    const reason = this.#refusal();
    if (reason === R.none) this.#execute();
    else this.#tell({ ...refused, reason });
    const { kind: answerKind, orderId } = this.#events[0]!;
    answers.push({ clientSequence, answerKind, reason, orderId, clientOrderId: subject });
    if (answers.length > this.#limits.answersKept) answers.shift();
  }

  /** Why a request cannot be taken. */
  #refusal(): number {
    const q = this.#request;
    const isNew = q.kind === x.KIND_NEW_ORDER;
    const isCancel = q.kind === x.KIND_CANCEL_ORDER;
    const isReplace = q.kind === x.KIND_REPLACE_ORDER;
    const isLimit = q.orderType === x.TYPE_LIMIT;
    const isPostOnly = q.flags === x.FLAG_POST_ONLY;
    const shapes = [
      isNew || isCancel || isReplace,
      q.reserved0 === 0 && q.reserved1 === 0 && q.reserved2 === 0,
      q.selfTradePrevention <= 2,
      q.flags === 0 || isPostOnly,
      !isNew || [1, 2].includes(q.side) && [1, 2].includes(q.orderType),
      !isNew || [1, 2, 3].includes(q.timeInForce) && q.targetOrderId === 0,
      !isNew || !isPostOnly || isLimit && q.timeInForce === x.TIF_GTC,
      isNew || q.side === 0 && q.orderType === 0 && q.timeInForce === 0 && q.targetOrderId > 0,
      isCancel || q.clientOrderId > 0,
      !isCancel || q.price === 0 && q.quantity === 0 && q.flags === 0,
    ];
    if (shapes.includes(false)) return R.badOrder;
    if (isNew && !isLimit ? q.price !== 0 : !isCancel && q.price < 1) return R.badPrice;
    if (!isCancel && q.quantity < 1) return R.badQuantity;
    if (!this.#instruments.includes(q.instrumentId)) return R.unknownInstrument;
    const target = this.#target();
    if (!isNew && target === undefined) return R.unknownOrder;
    if (isCancel) return R.none;
    const isTaken = this.open.some((order) =>
      order !== target && order.sessionId === q.sessionId &&
      order.clientOrderId === q.clientOrderId
    );
    if (isTaken) return R.duplicateOrderId;
    return this.#refusalToRest(target);
  }

  #refusalToRest(target: ModelOrder | undefined): number {
    const q = this.#request;
    const side = target?.side ?? q.side;
    if (!target && (q.orderType === x.TYPE_MARKET || q.timeInForce !== x.TIF_GTC)) return R.none;
    if (target && q.price === target.price && q.quantity <= target.remaining) return R.none;
    if (!target && this.open.length >= this.#limits.maxOpenOrders) return R.engineFull;
    const couldTrade = this.#across(side).some(({ price }) => isWithin(side, q.price, price));
    if (q.flags === x.FLAG_POST_ONLY && couldTrade) return R.wouldTrade;
    const others = this.open.filter((order) =>
      order !== target && order.instrumentId === q.instrumentId && order.side === side &&
      order.price === q.price
    );
    const sum = others.reduce((total, { remaining }) => total + BigInt(remaining), 0n);
    return sum + BigInt(q.quantity) > MAX ? R.badQuantity : R.none;
  }

  #target(): ModelOrder | undefined {
    const { sessionId, targetOrderId, instrumentId } = this.#request;
    return this.open.find((order) =>
      order.sessionId === sessionId && order.clientOrderId === targetOrderId &&
      order.instrumentId === instrumentId
    );
  }

  /** Resting orders of the other side, the one that trades first at the front. */
  #across(side: number): ModelOrder[] {
    const { instrumentId } = this.#request;
    const sign = side === x.SIDE_BUY ? 1 : -1;
    return this.open
      .filter((order) => order.instrumentId === instrumentId && order.side !== side)
      .sort((a, b) => sign * (a.price - b.price) || a.time - b.time);
  }

  #execute(): void {
    const q = this.#request;
    const target = this.#target();
    if (q.kind === x.KIND_NEW_ORDER) {
      const { instrumentId, sessionId, side, clientOrderId, price, quantity } = q;
      const orderId = ++this.#orderCount;
      const order = { instrumentId, sessionId, side, clientOrderId, price, orderId };
      this.#accept(order, quantity, quantity);
      return this.#enter({ ...order, remaining: quantity, time: 0 });
    }
    const order = target!;
    if (q.kind === x.KIND_CANCEL_ORDER) {
      this.#accept(order, 0, order.remaining);
      return this.#cancel(order, R.requested);
    }
    const { price, quantity, clientOrderId } = q;
    this.#accept({ ...order, price, clientOrderId }, quantity, quantity);
    const { side, orderId, price: oldPrice, remaining: before } = order;
    const keeps = price === oldPrice && quantity <= before;
    if (keeps) Object.assign(order, { remaining: quantity, clientOrderId });
    else this.#drop(order);
    this.#tell({
      ...{ kind: x.KIND_REPLACED, side, orderId, clientOrderId, price: oldPrice },
      ...{ quantity: before, remaining: quantity },
      ...this.#level(side, oldPrice),
    });
    if (!keeps) this.#enter({ ...order, clientOrderId, price, remaining: quantity });
  }

  #accept(order: Omit<ModelOrder, "remaining" | "time">, quantity: number, remaining: number) {
    const { side, orderId, clientOrderId, price } = order;
    const kind = x.KIND_ACCEPTED;
    this.#tell({ kind, side, orderId, clientOrderId, price, quantity, remaining });
  }

  /** Trades what can be traded, and lets the rest be what it is to be. */
  #enter(order: ModelOrder): void {
    const q = this.#request;
    const { side, orderId, clientOrderId, price } = order;
    const isReplace = q.kind === x.KIND_REPLACE_ORDER;
    if (q.timeInForce === x.TIF_FOK && !this.#canFill(order)) {
      return this.#expire(order, R.notFillable);
    }
    this.#match(order);
    if (order.remaining === 0) return;
    const rests = isReplace || q.orderType === x.TYPE_LIMIT && q.timeInForce === x.TIF_GTC;
    if (!rests) return this.#expire(order, R.notFilled);
    this.open.push({ ...order, time: ++this.#clock });
    const { remaining } = order;
    this.#tell({
      ...{ kind: x.KIND_BOOKED, side, orderId, clientOrderId, price },
      ...{ quantity: remaining, remaining },
      ...this.#level(side, price),
    });
  }

  #match(order: ModelOrder): void {
    const prevention = this.#request.selfTradePrevention;
    while (order.remaining > 0) {
      const [best] = this.#across(order.side);
      if (best === undefined || !isWithin(order.side, order.price, best.price)) return;
      if (best.sessionId !== order.sessionId) {
        this.#trade(order, best);
        continue;
      }
      if (prevention !== x.STP_CANCEL_NEWEST) this.#cancel(best, R.selfTrade);
      if (prevention !== x.STP_CANCEL_OLDEST) this.#expire(order, R.selfTrade);
    }
  }

  #trade(taker: ModelOrder, maker: ModelOrder): void {
    const quantity = Math.min(taker.remaining, maker.remaining);
    taker.remaining -= quantity;
    maker.remaining -= quantity;
    if (maker.remaining === 0) this.#drop(maker);
    const { side, orderId, clientOrderId, remaining } = taker;
    this.#tell({
      ...{ kind: x.KIND_TRADED, side, orderId, clientOrderId, price: maker.price },
      ...{ quantity, remaining },
      makerSessionId: maker.sessionId,
      makerClientOrderId: maker.clientOrderId,
      makerOrderId: maker.orderId,
      makerRemaining: maker.remaining,
      ...this.#level(maker.side, maker.price),
    });
  }

  /** Tries it on a copy. */
  #canFill(order: ModelOrder): boolean {
    const trial = new EngineModel(this.#instruments, this.#limits);
    trial.#request = this.#request;
    trial.open = this.open.map((other) => ({ ...other }));
    trial.#match({ ...order });
    const traded = trial.#events.filter(({ kind }) => kind === x.KIND_TRADED);
    return traded.reduce((sum, { quantity }) => sum + quantity, 0) === order.remaining;
  }

  #cancel({ ...order }: ModelOrder, reason: number): void {
    this.open = this.open.filter(({ orderId }) => orderId !== order.orderId);
    this.#expire(order, reason);
    Object.assign(this.#events.at(-1)!, this.#level(order.side, order.price));
  }

  #expire(order: ModelOrder, reason: number): void {
    const { side, orderId, clientOrderId, price, remaining: quantity } = order;
    this.#tell({ kind: x.KIND_CANCELLED, reason, side, orderId, clientOrderId, price, quantity });
    order.remaining = 0;
  }

  #drop(order: ModelOrder): void {
    this.open = this.open.filter((other) => other !== order);
  }

  #level(side: number, price: number): Pick<Event, "levelQuantity" | "flags"> {
    const { instrumentId } = this.#request;
    const levelQuantity = this.open
      .filter((order) =>
        order.instrumentId === instrumentId && order.side === side && order.price === price
      )
      .reduce((sum, { remaining }) => sum + remaining, 0);
    return { levelQuantity, flags: x.EVENT_BOOK_CHANGED };
  }
}

/** Whether an order of that side and limit would trade at a price. A market order has no limit. */
function isWithin(side: number, limit: number, price: number): boolean {
  return limit === 0 || (side === x.SIDE_BUY ? price <= limit : price >= limit);
}
