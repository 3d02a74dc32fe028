/**
 * What a gateway takes for an event of the engine: whoever may write the channel may have written
 * anything.
 *
 * @module
 */

import type { Message } from "../../channel/record.ts";
import { numberCheck } from "../number_check.ts";
import { EngineEvent, KIND_ACCEPTED, KIND_DUPLICATE } from "../orders.ts";

const accessor = EngineEvent.accessor();
const unsoundField = numberCheck(EngineEvent);

/**
 * Says what makes a message no event of the engine; undefined for one that is.
 *
 * It depends on the message alone, so that a gateway that reads it again after a restart says the
 * same, and the numbers of its sessions' events stay what they were.
 */
export function eventFault(
  { view, offset, length, sequence }: Pick<Message, "view" | "offset" | "length" | "sequence">,
): string | undefined {
  if (length !== EngineEvent.sizeBytes) return `a length of ${length} bytes`;
  const field = unsoundField(view, offset);
  if (field !== undefined) return `no number in ${field}`;
  const { kind, eventNumber } = accessor.wrap(view, offset, length);
  if (kind < KIND_ACCEPTED || kind > KIND_DUPLICATE) return `kind ${kind}`;
  return eventNumber === sequence ? undefined : `event number ${eventNumber}`;
}
