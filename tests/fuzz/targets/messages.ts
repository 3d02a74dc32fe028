/**
 * Messages of an exchange's channels, one behind the other: requests to an engine, or events to
 * market data. The first byte chooses which, the second by how much their length is wrong.
 *
 * @module
 */

import { EngineEvent, MatchingEngine, OrderRequest } from "../../../lib/exchange/mod.ts";
import { limit, packRequest, replace, snapshotOf } from "../../_exchange.ts";
import { encodeEvent, level, makeFeed } from "../../_market_data.ts";
import { join } from "../../_bytes.ts";
import { must, type Target } from "../_target.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const OPTIONS = { instruments: [{ id: 1 }, { id: 2 }], onEvent: () => {} };

/** Hands bytes on as messages of some length. */
function messagesOf(
  bytes: Bytes,
  size: number,
): { view: DataView<ArrayBuffer>; sequence: number }[] {
  const count = Math.floor(bytes.length / size);
  return Array.from({ length: count }, (_, index) => ({
    view: new DataView(bytes.slice(index * size, (index + 1) * size).buffer),
    sequence: index + 1,
  }));
}

/** Whatever was asked, the state is one that a snapshot can be made of, and that comes back. */
function runEngine(bytes: Bytes, wrong: number): string {
  const engine = new MatchingEngine(OPTIONS);
  const counts = new Set<number>();
  for (const { view, sequence } of messagesOf(bytes, OrderRequest.sizeBytes + wrong)) {
    const caused = engine.apply(view, 0, sequence, view.byteLength);
    must(caused >= 1, `${caused} events`);
    counts.add(Math.min(5, caused));
  }
  const snapshot = snapshotOf(engine);
  const again = MatchingEngine.restore(snapshot, OPTIONS);
  must(again.stateHash() === engine.stateHash(), "another state");
  return `engine ${[...counts].sort()} ${Math.min(4, engine.openOrders)}`;
}

function runFeed(bytes: Bytes, wrong: number): string {
  const feed = makeFeed();
  for (const { view, sequence } of messagesOf(bytes, EngineEvent.sizeBytes + wrong)) {
    feed.applyEvent({ view, offset: 0, length: view.byteLength, sequence }, 1);
  }
  const again = makeFeed();
  again.restore(join(...feed.image()));
  must(join(...again.image()).toHex() === join(...feed.image()).toHex(), "another image");
  const { trades, malformed, unknownInstrument } = feed.counts;
  return `feed ${[trades, malformed, unknownInstrument].map((count) => Math.min(3, count))}`;
}

/** Opens it. */
export function open(): Target {
  const requests = [
    limit("buy", { clientOrderId: 1, clientSequence: 1, price: 100, quantity: 5 }),
    limit("sell", { clientOrderId: 2, clientSequence: 2, price: 101, quantity: 5 }),
    limit("sell", { sessionId: 2, clientOrderId: 1, clientSequence: 1, price: 100, quantity: 3 }),
    replace(1, { clientOrderId: 3, clientSequence: 3, price: 99, quantity: 2 }),
  ].map((request) => packRequest(request));
  const events = [
    level(100),
    level(101, { side: "sell" }),
    level(101, { side: "sell", kind: "trade", quantity: 3, levelQuantity: 0 }),
  ].map((happening, index) => encodeEvent(happening, index + 1).slice());
  return {
    seeds: [
      join([0, 0], ...requests),
      ...requests.map((request) => join([0, 0], request, request)),
      join([1, 0], ...events),
      join([0, 1], ...requests),
      join([1, 255], ...events),
    ],
    run(input) {
      const [kind = 0, length = 0] = input;
      const wrong = length < 128 ? length % 8 : (length % 8) - 8;
      return kind % 2 === 0 ? runEngine(input.slice(2), wrong) : runFeed(input.slice(2), wrong);
    },
  };
}
