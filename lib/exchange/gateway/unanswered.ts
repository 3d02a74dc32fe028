/**
 * Requests that were published and that the engine has not answered: what a gateway that was killed
 * has to know of its sessions besides the engine's events.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import { openConsumer } from "../../channel/open_consumer.ts";
import type { GatewaySessions } from "./gateway_sessions.ts";
import { numberCheck } from "../number_check.ts";
import { OrderRequest } from "../orders.ts";

const unsoundField = numberCheck(OrderRequest);

/** Tells the sessions of their requests behind the last one that the engine has answered. */
export function readUnanswered(orders: Channel, sessions: GatewaySessions): void {
  const last = orders.stats().nextSequence - 1;
  const first = sessions.lastOrderSequence + 1;
  if (first > last) return;
  const onSlow = orders.logDirectory === undefined ? "drop" : "spill"; // Neither holds anybody up.
  using consumer = openConsumer(orders, { from: first, onSlow });
  const request = OrderRequest.accessor();
  while (consumer.delivered < last) {
    const count = consumer.poll(({ view, offset, length }) => {
      // Another producer's, of no session of ours.
      if (length !== OrderRequest.sizeBytes || unsoundField(view, offset) !== undefined) return;
      const { sessionId, clientSequence } = request.wrap(view, offset);
      sessions.at(sessionId)?.published(clientSequence);
    });
    if (count === 0) return; // What another producer has claimed and not published is not ours.
  }
}
