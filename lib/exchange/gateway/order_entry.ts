/**
 * Order entry: requests of clients, as JSON or as bytes, to checked {@linkcode OrderRequest}s.
 *
 * Everything that comes from a client is hostile: each field is read once, checked, and only then
 * used. Decimal text becomes a scaled integer exactly or not at all; no price is ever a float.
 *
 * @module
 */

import { parseDecimal } from "../../market/decimal.ts";
import type { Instrument } from "../../market/instruments.ts";
import {
  FLAG_POST_ONLY,
  KIND_CANCEL_ORDER,
  KIND_NEW_ORDER,
  KIND_REPLACE_ORDER,
  offsetsOf,
  OrderRequest,
  SIDE_BUY,
  SIDE_SELL,
  STP_CANCEL_BOTH,
  TIF_FOK,
  TIF_GTC,
  TYPE_LIMIT,
  TYPE_MARKET,
} from "../orders.ts";
import { describeFound, type Refusal, type RefusalReason, refuse } from "./refusal.ts";
import { readSafe } from "../engine/safe_integer.ts";

/** What order entry has to know of instruments. */
export interface InstrumentLookup {
  /** The instrument of a symbol. */
  find(symbol: string): Instrument | undefined;
  /** The instrument of an id. */
  at(id: number): Instrument | undefined;
}

/** Words of a JSON request, each at the number that stands for it in the layout. */
const WORDS = {
  side: ["", "buy", "sell"],
  orderType: ["", "limit", "market"],
  timeInForce: ["", "gtc", "ioc", "fok"],
  selfTradePrevention: ["cancelNewest", "cancelOldest", "cancelBoth"],
} as const;

type WordField = keyof typeof WORDS;

const REASONS_OF: Readonly<Record<WordField | NumberField, RefusalReason>> = {
  side: "bad_side",
  orderType: "bad_order_type",
  timeInForce: "bad_time_in_force",
  selfTradePrevention: "bad_self_trade_prevention",
  clientSequence: "bad_client_sequence",
  clientOrderId: "bad_client_order_id",
  targetOrderId: "bad_target_order_id",
};

type NumberField = "clientSequence" | "clientOrderId" | "targetOrderId";

const KINDS: Readonly<Record<string, { kind: number; fields: readonly string[] }>> = {
  new: {
    kind: KIND_NEW_ORDER,
    fields: [
      ...["type", "clientSequence", "clientOrderId", "symbol", "side", "orderType", "timeInForce"],
      ...["price", "quantity", "postOnly", "selfTradePrevention", "intendedTimeNs"],
    ],
  },
  cancel: {
    kind: KIND_CANCEL_ORDER,
    fields: ["type", "clientSequence", "symbol", "targetOrderId", "intendedTimeNs"],
  },
  replace: {
    kind: KIND_REPLACE_ORDER,
    fields: [
      ...["type", "clientSequence", "symbol", "clientOrderId", "targetOrderId"],
      ...["price", "quantity", "postOnly", "selfTradePrevention", "intendedTimeNs"],
    ],
  },
};

const WHOLE = "a whole number from 1 to 9007199254740991";

/** Fields of eight bytes that hold a whole number, and may hold one beyond 2^53. */
const WIDE_FIELDS = OrderRequest.fields.filter(({ name, type }) =>
  (type === "u64" || type === "i64") && name !== "sessionId"
);
const RESERVED_FIELDS = OrderRequest.fields.filter(({ name }) => name.startsWith("reserved"));
const AT = offsetsOf(OrderRequest);

/**
 * Reads requests. One object for all clients of a thread.
 *
 * @example
 * ```ts
 * import { OrderEntry, OrderRequest } from "message_transport/exchange";
 * import { assertEquals } from "@std/assert";
 *
 * const instrument = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 };
 * const entry = new OrderEntry({ find: () => instrument, at: () => instrument });
 * const view = new DataView(new ArrayBuffer(OrderRequest.sizeBytes));
 * const request = {
 *   ...{ type: "new", clientSequence: 1, clientOrderId: 1, symbol: "BTC-USD", side: "buy" },
 *   ...{ orderType: "limit", timeInForce: "gtc", price: "100.25", quantity: "0.5" },
 * };
 * assertEquals(entry.readJson(request, view, 0), undefined);
 * assertEquals(OrderRequest.accessor().wrap(view, 0).price, 10_025);
 * const { reason, text } = entry.readJson({ ...request, price: "1e2" }, view, 0)!;
 * assertEquals(reason, "bad_price");
 * assertEquals(text, 'price: expected a decimal above 0 with at most 2 decimals, found "1e2"');
 * ```
 */
export class OrderEntry {
  readonly #instruments: InstrumentLookup;
  readonly #order = OrderRequest.accessor();

  /** Knows instruments by `instruments`. */
  constructor(instruments: InstrumentLookup) {
    this.#instruments = instruments;
  }

  /**
   * Writes a JSON request, which was parsed already, as an {@linkcode OrderRequest}. Fields that
   * are the gateway's own are 0.
   *
   * @param request Of any shape. A field that the request's type does not have is refused too: an
   *     option that is misspelt must not be an option that is not set.
   * @returns Why it is none; the bytes are undefined then.
   */
  readJson(
    request: Readonly<Record<string, unknown>>,
    view: DataView<ArrayBuffer>,
    offset: number,
  ): Refusal | undefined {
    const { type } = request;
    const form = typeof type === "string" && Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
    if (form === undefined) return refuse("unknown_type", "type", TYPES, type);
    for (const field in request) {
      if (form.fields.includes(field)) continue;
      const text = `${describeFound(field)}: expected one of ${form.fields.join(", ")}`;
      return { reason: "unknown_field", text };
    }
    new Uint8Array(view.buffer, view.byteOffset + offset, OrderRequest.sizeBytes).fill(0);
    const order = this.#order.wrap(view, offset, OrderRequest.sizeBytes);
    order.kind = form.kind;
    return this.#readNumbers(request, form.kind) ?? this.#readTerms(request, form.kind) ??
      this.check(view, offset);
  }

  #readNumbers(request: Readonly<Record<string, unknown>>, kind: number): Refusal | undefined {
    const order = this.#order;
    const sequence = request.clientSequence;
    if (!isWhole(sequence)) return refuseNumber("clientSequence", sequence);
    order.clientSequence = sequence;
    if (kind !== KIND_CANCEL_ORDER) {
      const own = request.clientOrderId;
      if (!isWhole(own)) return refuseNumber("clientOrderId", own);
      order.clientOrderId = own;
    }
    if (kind !== KIND_NEW_ORDER) {
      const target = request.targetOrderId;
      if (!isWhole(target)) return refuseNumber("targetOrderId", target);
      order.targetOrderId = target;
    }
    const intended = request.intendedTimeNs ?? 0;
    if (typeof intended !== "number") return refuseTime(intended);
    order.intendedTimeNs = intended;
    return undefined;
  }

  #readTerms(request: Readonly<Record<string, unknown>>, kind: number): Refusal | undefined {
    const order = this.#order;
    const { symbol, price, quantity } = request;
    const instrument = typeof symbol === "string" ? this.#instruments.find(symbol) : undefined;
    if (instrument === undefined) {
      return refuse("unknown_instrument", "symbol", "one that is traded here", symbol);
    }
    order.instrumentId = instrument.id;
    if (kind === KIND_CANCEL_ORDER) return undefined;
    const refusal = (kind === KIND_NEW_ORDER ? this.#readWords(request) : undefined) ??
      this.#readOptions(request);
    if (refusal !== undefined) return refusal;
    if (order.orderType !== TYPE_MARKET) {
      const units = toUnits(price, instrument.priceDecimals);
      if (units <= 0) return refuseDecimal("bad_price", "price", instrument.priceDecimals, price);
      order.price = units;
    } else if (price !== undefined) {
      return refuse("bad_price", "price", "none in a market order", price);
    }
    const { quantityDecimals } = instrument;
    const units = toUnits(quantity, quantityDecimals);
    if (units <= 0) return refuseDecimal("bad_quantity", "quantity", quantityDecimals, quantity);
    order.quantity = units;
    return undefined;
  }

  #readWords(request: Readonly<Record<string, unknown>>): Refusal | undefined {
    const order = this.#order;
    const side = toWord("side", request.side);
    if (side <= 0) return refuseWord("side", request.side);
    order.side = side;
    const orderType = toWord("orderType", request.orderType);
    if (orderType <= 0) return refuseWord("orderType", request.orderType);
    order.orderType = orderType;
    const timeInForce = toWord("timeInForce", request.timeInForce);
    if (timeInForce <= 0) return refuseWord("timeInForce", request.timeInForce);
    order.timeInForce = timeInForce;
    return undefined;
  }

  #readOptions(request: Readonly<Record<string, unknown>>): Refusal | undefined {
    const order = this.#order;
    const { postOnly = false, selfTradePrevention = "cancelNewest" } = request;
    if (typeof postOnly !== "boolean") return refuse("bad_flags", "postOnly", BOOLEAN, postOnly);
    order.flags = postOnly ? FLAG_POST_ONLY : 0;
    const prevention = toWord("selfTradePrevention", selfTradePrevention);
    if (prevention < 0) return refuseWord("selfTradePrevention", selfTradePrevention);
    order.selfTradePrevention = prevention;
    return undefined;
  }

  /**
   * Checks an {@linkcode OrderRequest}, of which any byte may be anything. Session and gateway
   * fields are not looked at.
   *
   * @returns Why it is none. Cost: no allocation where it is one.
   */
  check(view: DataView<ArrayBuffer>, offset: number): Refusal | undefined {
    for (const { name, offset: at } of WIDE_FIELDS) {
      if (readSafe(view, offset + at) < 0) return refuseWide(name);
    }
    for (const { name, offset: at, sizeBytes } of RESERVED_FIELDS) {
      for (let byte = 0; byte < sizeBytes; byte++) {
        const found = view.getUint8(offset + at + byte);
        if (found !== 0) return refuse("bad_reserved", name, "zero", found);
      }
    }
    const order = this.#order.wrap(view, offset, OrderRequest.sizeBytes);
    const { clientSequence, instrumentId, intendedTimeNs } = order;
    if (clientSequence < 1) return refuseNumber("clientSequence", clientSequence);
    if (this.#instruments.at(instrumentId) === undefined) {
      return refuse("unknown_instrument", "instrumentId", "one that is traded here", instrumentId);
    }
    if (!(intendedTimeNs >= 0 && intendedTimeNs < Infinity)) return refuseTime(intendedTimeNs);
    const { flags, selfTradePrevention } = order;
    if ((flags & ~FLAG_POST_ONLY) !== 0) return refuse("bad_flags", "flags", "0 or 1", flags);
    if (selfTradePrevention > STP_CANCEL_BOTH) {
      return refuseWord("selfTradePrevention", selfTradePrevention);
    }
    switch (order.kind) {
      case KIND_NEW_ORDER:
        return this.#checkNew();
      case KIND_REPLACE_ORDER:
        return this.#checkNoTerms() ?? this.#checkIds(true, true) ?? this.#checkAmounts(true, true);
      case KIND_CANCEL_ORDER:
        return this.#checkNoTerms() ?? this.#checkNoFlags() ?? this.#checkIds(false, true) ??
          this.#checkAmounts(false, false);
      default:
        return refuse("unknown_type", "kind", "16, 17 or 18", order.kind);
    }
  }

  #checkNew(): Refusal | undefined {
    const { side, orderType, timeInForce, flags } = this.#order;
    if (side !== SIDE_BUY && side !== SIDE_SELL) return refuseWord("side", side);
    if (orderType !== TYPE_LIMIT && orderType !== TYPE_MARKET) {
      return refuseWord("orderType", orderType);
    }
    if (timeInForce < TIF_GTC || timeInForce > TIF_FOK) {
      return refuseWord("timeInForce", timeInForce);
    }
    const isMarket = orderType === TYPE_MARKET;
    if (flags !== 0 && (isMarket || timeInForce !== TIF_GTC)) {
      const found = `${WORDS.orderType[orderType]} ${WORDS.timeInForce[timeInForce]}`;
      return refuse("bad_flags", "postOnly", 'a limit order with timeInForce "gtc"', found);
    }
    return this.#checkIds(true, false) ?? this.#checkAmounts(!isMarket, true);
  }

  /** What a cancel or replace cannot change. */
  #checkNoTerms(): Refusal | undefined {
    const { side, orderType, timeInForce } = this.#order;
    if (side !== 0) return refuse("bad_side", "side", "0", side);
    if (orderType !== 0) return refuse("bad_order_type", "orderType", "0", orderType);
    if (timeInForce === 0) return undefined;
    return refuse("bad_time_in_force", "timeInForce", "0", timeInForce);
  }

  #checkNoFlags(): Refusal | undefined {
    const { flags } = this.#order;
    return flags === 0 ? undefined : refuse("bad_flags", "flags", "0 in a cancel", flags);
  }

  #checkIds(hasOwn: boolean, hasTarget: boolean): Refusal | undefined {
    const { clientOrderId, targetOrderId } = this.#order;
    if (clientOrderId > 0 !== hasOwn) return refuseNumber("clientOrderId", clientOrderId, hasOwn);
    if (targetOrderId > 0 === hasTarget) return undefined;
    return refuseNumber("targetOrderId", targetOrderId, hasTarget);
  }

  #checkAmounts(hasPrice: boolean, hasQuantity: boolean): Refusal | undefined {
    const { price, quantity } = this.#order;
    if (price > 0 !== hasPrice) {
      return refuse("bad_price", "price", hasPrice ? WHOLE : "0", price);
    }
    if (quantity > 0 === hasQuantity) return undefined;
    return refuse("bad_quantity", "quantity", hasQuantity ? WHOLE : "0", quantity);
  }
}

const TYPES = '"new", "cancel", "replace", "logon", "heartbeat" or "logout"';
const BOOLEAN = "true or false";

/** The client sequence of a request, whatever else it has; 0 if it has none. For rejects. */
export function clientSequenceOf(view: DataView, offset: number): number {
  return Math.max(0, readSafe(view, offset + AT.clientSequence));
}

/** Whether a value is a whole number from 1 that is exact. */
export function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

function toUnits(text: unknown, decimals: number): number {
  return typeof text === "string" ? parseDecimal(text, decimals) : -1;
}

function toWord(field: WordField, word: unknown): number {
  return (WORDS[field] as readonly unknown[]).indexOf(word === "" ? undefined : word);
}

function refuseWord(field: WordField, found: unknown): Refusal {
  const words: readonly string[] = WORDS[field];
  const expected = words
    .flatMap((word, number) => word === "" ? [] : `"${word}" (${number})`).join(" or ");
  return refuse(REASONS_OF[field], field, expected, found);
}

function refuseNumber(field: NumberField, found: unknown, isThere = true): Refusal {
  return refuse(REASONS_OF[field], field, isThere ? WHOLE : "0", found);
}

function refuseWide(field: string): Refusal {
  const reason = REASONS_OF[field as NumberField] ??
    (field === "price" ? "bad_price" : field === "quantity" ? "bad_quantity" : "bad_reserved");
  return refuse(reason, field, "at most 9007199254740991, not negative", "more, or less");
}

function refuseTime(found: unknown): Refusal {
  return refuse("bad_intended_time", "intendedTimeNs", "nanoseconds, not negative", found);
}

function refuseDecimal(
  reason: RefusalReason,
  field: string,
  decimals: number,
  found: unknown,
): Refusal {
  return refuse(reason, field, `a decimal above 0 with at most ${decimals} decimals`, found);
}
