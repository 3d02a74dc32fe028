/**
 * What a client makes of what has come from its gateway, which may be anything.
 *
 * @module
 */

import { isDecimals } from "../../market/decimal.ts";
import { EVENT_TYPES } from "../gateway/event_text.ts";
import { parseToken } from "../gateway/session_token.ts";
import type { GatewayMessage } from "./client_transport.ts";

/** Milliseconds of silence that a gateway can be set to: docs/pipeline.md. */
const HEARTBEAT_MS_MIN = 10;
const HEARTBEAT_MS_MAX = 3_600_000;

/** Milliseconds that a timer can wait. */
const RETRY_MS_MAX = 2 ** 31 - 1;

const EVENTS = new Set<unknown>(Object.values(EVENT_TYPES));

type Fields = Readonly<Record<string, unknown>>;

/** Reads a text of JSON. Returns undefined if no gateway says that. */
export function readGatewayMessage(text: unknown): GatewayMessage | undefined {
  if (typeof text !== "string") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isGatewayMessage(value) ? value : undefined;
}

/** Whether a value is something that a gateway says, with all that belongs to it. */
export function isGatewayMessage(value: unknown): value is GatewayMessage {
  if (!isObject(value)) return false;
  switch (value.type) {
    case "session":
      return isSession(value);
    case "ack":
      return areCounts(value, ["clientSequence", "sequence"]) &&
        (value.level === "memory" || value.level === "disk");
    case "reject":
      return isReject(value);
    case "gap":
      return areCounts(value, ["from", "to"]);
    case "heartbeat":
      return areCounts(value, ["number"]);
    case "error":
      return areTexts(value, ["reason", "text"]);
    default:
      return EVENTS.has(value.type) && isEvent(value);
  }
}

function isSession(session: Fields): boolean {
  const { token, isResumed, heartbeatMs, instruments } = session;
  return areCounts(session, ["sessionId", "lastClientSequence", "lastNumber", "ordersPerSecond"]) &&
    parseToken(token) !== undefined && typeof isResumed === "boolean" &&
    isCount(heartbeatMs) && heartbeatMs >= HEARTBEAT_MS_MIN && heartbeatMs <= HEARTBEAT_MS_MAX &&
    Array.isArray(instruments) && instruments.every(isInstrument);
}

function isInstrument(value: unknown): boolean {
  return isObject(value) && typeof value.symbol === "string" &&
    areCounts(value, ["priceDecimals", "quantityDecimals"]) &&
    isDecimals(value.priceDecimals as number) && isDecimals(value.quantityDecimals as number);
}

function isReject(reject: Fields): boolean {
  const { clientSequence, retryAfterMs = 0 } = reject;
  return (clientSequence === null || isCount(clientSequence)) &&
    areTexts(reject, ["reason", "text"]) && isCount(retryAfterMs) && retryAfterMs <= RETRY_MS_MAX;
}

function isEvent(event: Fields): boolean {
  const { gatewayTimeNs, engineTimeNs } = event;
  return areCounts(event, [
    "number",
    "eventNumber",
    "clientSequence",
    "clientOrderId",
    "orderId",
  ]) &&
    areTexts(event, ["symbol", "price", "quantity", "remaining"]) &&
    typeof gatewayTimeNs === "number" && typeof engineTimeNs === "number";
}

function areCounts(fields: Fields, names: readonly string[]): boolean {
  return names.every((name) => isCount(fields[name]));
}

function areTexts(fields: Fields, names: readonly string[]): boolean {
  return names.every((name) => typeof fields[name] === "string");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
