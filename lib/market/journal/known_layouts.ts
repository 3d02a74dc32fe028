/**
 * The layouts of this program's messages, by the number that all of them begin with.
 *
 * @module
 */

import {
  EngineEvent,
  KIND_ACCEPTED,
  KIND_CANCEL_ORDER,
  KIND_DUPLICATE,
  KIND_NEW_ORDER,
  KIND_REPLACE_ORDER,
  OrderRequest,
} from "../../exchange/orders.ts";
import { JsonLayout } from "./json_layout.ts";
import {
  BookTicker,
  KIND_BOOK_TICKER,
  KIND_ORDER_BOOK_DELTA,
  KIND_ORDER_BOOK_SNAPSHOT,
  KIND_TRADE,
  messageKind,
  OrderBookDelta,
  OrderBookSnapshot,
  Trade,
} from "../layouts.ts";

const request = new JsonLayout(OrderRequest);
const event = new JsonLayout(EngineEvent);

const byKind: ReadonlyMap<number, JsonLayout> = new Map([
  [KIND_TRADE, new JsonLayout(Trade)],
  [KIND_BOOK_TICKER, new JsonLayout(BookTicker)],
  [KIND_ORDER_BOOK_DELTA, new JsonLayout(OrderBookDelta)],
  [KIND_ORDER_BOOK_SNAPSHOT, new JsonLayout(OrderBookSnapshot)],
  ...[KIND_NEW_ORDER, KIND_CANCEL_ORDER, KIND_REPLACE_ORDER].map((kind) =>
    [kind, request] as const
  ),
  ...Array.from(
    { length: KIND_DUPLICATE - KIND_ACCEPTED + 1 },
    (_, index) => [KIND_ACCEPTED + index, event] as const,
  ),
]);

/** All of them. */
export const knownLayouts: readonly JsonLayout[] = [...new Set(byKind.values())];

/** Returns the layout of a message; undefined if it begins with no number that is known. */
export function knownLayoutOf(
  view: DataView,
  offset: number,
  length: number,
): JsonLayout | undefined {
  return length < Uint16Array.BYTES_PER_ELEMENT ? undefined : byKind.get(messageKind(view, offset));
}
