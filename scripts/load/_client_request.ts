/**
 * Requests of a made-up flow in the words of the gateway's protocol.
 *
 * @module
 */

import {
  type ClientRequest,
  FLAG_POST_ONLY,
  KIND_CANCEL_ORDER,
  KIND_REPLACE_ORDER,
  SIDE_BUY,
  STP_CANCEL_BOTH,
  STP_CANCEL_NEWEST,
  STP_CANCEL_OLDEST,
  TIF_FOK,
  TIF_GTC,
  TIF_IOC,
  TYPE_MARKET,
} from "../../lib/exchange/mod.ts";
import { formatDecimal } from "../../lib/market/mod.ts";
import type { FlowRequest } from "./order_flow.ts";

/** What is traded, as a gateway names it. */
export interface SessionInstrument {
  symbol: string;
  priceDecimals: number;
  quantityDecimals: number;
}

const TIMES_IN_FORCE: Record<number, "gtc" | "ioc" | "fok"> = {
  [TIF_GTC]: "gtc",
  [TIF_IOC]: "ioc",
  [TIF_FOK]: "fok",
};

const PREVENTIONS: Record<number, "cancelNewest" | "cancelOldest" | "cancelBoth"> = {
  [STP_CANCEL_NEWEST]: "cancelNewest",
  [STP_CANCEL_OLDEST]: "cancelOldest",
  [STP_CANCEL_BOTH]: "cancelBoth",
};

/** Returns a request as a client sends it; `intendedTimeNs` is when it should have been sent. */
export function toClientRequest(
  request: FlowRequest,
  { symbol, priceDecimals, quantityDecimals }: SessionInstrument,
  intendedTimeNs: number,
): ClientRequest {
  const { kind, clientOrderId, targetOrderId } = request;
  if (kind === KIND_CANCEL_ORDER) return { type: "cancel", symbol, targetOrderId, intendedTimeNs };
  const price = formatDecimal(request.price, priceDecimals);
  const quantity = formatDecimal(request.quantity, quantityDecimals);
  const common = { symbol, clientOrderId, quantity, intendedTimeNs };
  if (kind === KIND_REPLACE_ORDER) return { type: "replace", targetOrderId, price, ...common };
  const isMarket = request.orderType === TYPE_MARKET;
  return {
    type: "new",
    side: request.side === SIDE_BUY ? "buy" : "sell",
    orderType: isMarket ? "market" : "limit",
    timeInForce: TIMES_IN_FORCE[request.timeInForce]!,
    ...(isMarket ? {} : { price }),
    ...((request.flags & FLAG_POST_ONLY) === 0 ? {} : { postOnly: true }),
    selfTradePrevention: PREVENTIONS[request.selfTradePrevention]!,
    ...common,
  };
}
