/**
 * Refusals: why a gateway does not take what a client has sent.
 *
 * @module
 */

/** Every reason, in a word that programs compare. */
export const REFUSAL_REASONS = [
  // What is wrong with a request.
  "bad_json",
  "bad_message",
  "unknown_type",
  "unknown_field",
  "unknown_instrument",
  "bad_client_sequence",
  "bad_client_order_id",
  "bad_target_order_id",
  "bad_side",
  "bad_order_type",
  "bad_time_in_force",
  "bad_price",
  "bad_quantity",
  "bad_flags",
  "bad_self_trade_prevention",
  "bad_intended_time",
  "bad_reserved",
  // What is wrong with its moment: try again later.
  "rate_limited",
  "back_pressured",
  "wal_full",
  "log_failed",
  // What ends the connection.
  "bad_logon",
  "unknown_session",
  "not_logged_on",
  "logon_timeout",
  "heartbeat_timeout",
  "displaced",
  "slow_client",
  "protocol_violation",
  "frame_too_large",
  "too_many_connections",
  "too_many_sessions",
  "going_away",
] as const;

/** Why, in a word that programs compare. */
export type RefusalReason = typeof REFUSAL_REASONS[number];

/** Why something is refused. */
export interface Refusal {
  reason: RefusalReason;
  /** Which field, what was expected and what was found. Quotes are short and escaped. */
  text: string;
}

/** Characters of a client's text that a refusal quotes at most. Arbitrary: most symbols fit. */
const QUOTE_CHARACTERS_MAX = 32;

/** Says what a client has sent, in a few ASCII characters whatever it is. */
export function describeFound(found: unknown): string {
  if (typeof found === "string") {
    const isLong = found.length > QUOTE_CHARACTERS_MAX;
    const shown = isLong ? `${found.slice(0, QUOTE_CHARACTERS_MAX)}…` : found;
    return JSON.stringify(shown).replace(
      /[^\x20-\x7e]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }
  if (found === undefined) return "nothing";
  if (Array.isArray(found)) return "an array";
  return typeof found === "object" && found !== null ? "an object" : String(found);
}

/** Makes a refusal of one field. */
export function refuse(
  reason: RefusalReason,
  field: string,
  expected: string,
  found: unknown,
): Refusal {
  return { reason, text: `${field}: expected ${expected}, found ${describeFound(found)}` };
}
