/**
 * Images of an engine's state and of a feed's, as checkpoints hold them. The first byte chooses
 * which, and whether the image gets the hash that belongs to it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { MatchingEngine } from "../../../lib/exchange/mod.ts";
import { cancel, limit, snapshotOf, TestEngine } from "../../_exchange.ts";
import { apply, level, makeFeed } from "../../_market_data.ts";
import { join } from "../../_bytes.ts";
import { must, type Target } from "../_target.ts";

const HASH_BYTES = 32;

function sealed(image: Uint8Array): Uint8Array<ArrayBuffer> {
  return join(image, createHash("sha256").update(image).digest());
}

function engineImage(): Uint8Array<ArrayBuffer> {
  const engine = new TestEngine();
  engine.send(limit("buy", { clientOrderId: 1, price: 100, quantity: 5 }));
  engine.send(limit("buy", { sessionId: 2 ** 40, clientOrderId: 7, price: 100, quantity: 6 }));
  engine.send(limit("sell", { clientOrderId: 3, price: 101, quantity: 8, instrumentId: 2 }));
  engine.send(cancel(9));
  return snapshotOf(engine.engine).slice(0, -HASH_BYTES);
}

function feedImage(): Uint8Array<ArrayBuffer> {
  const feed = makeFeed();
  apply(feed, level(100));
  apply(feed, level(101, { side: "sell", levelQuantity: 7 }));
  apply(feed, level(102, { kind: "trade", quantity: 3, levelQuantity: 4 }));
  return join(...feed.image()).slice(0, -HASH_BYTES);
}

/** A state that was taken has to give an image that is taken again, and is the same. */
function runEngine(bytes: Uint8Array): string {
  const instruments = [{ id: 1 }, { id: 2 }];
  let engine: MatchingEngine;
  try {
    engine = MatchingEngine.restore(bytes, { instruments, onEvent: () => {} });
  } catch (error) {
    // Documented: an instrument that the engine does not know.
    if (error instanceof TypeError && /instrument|sessions|orders/.test(error.message)) {
      return "unknown";
    }
    throw error;
  }
  must(snapshotOf(engine).toHex() === new Uint8Array(bytes).toHex(), "another image");
  return `engine ${Math.min(2, engine.openOrders)}`;
}

function runFeed(bytes: Uint8Array<ArrayBuffer>): string {
  const feed = makeFeed();
  try {
    feed.restore(bytes);
  } catch (error) {
    if (error instanceof TypeError && /instrument/.test(error.message)) return "unknown";
    throw error;
  }
  must(join(...feed.image()).toHex() === bytes.toHex(), "another image");
  return `feed ${feed.isComplete}`;
}

/** Opens it. */
export function open(): Target {
  const [engine, feed] = [engineImage(), feedImage()];
  return {
    seeds: [
      join([0], engine),
      join([1], feed),
      join([2], sealed(engine)),
      join([3], sealed(feed)),
    ],
    run(input) {
      const kind = input[0] ?? 0;
      const rest = input.slice(1);
      const bytes = kind % 4 < 2 ? sealed(rest) : rest;
      return kind % 2 === 0 ? runEngine(bytes) : runFeed(bytes);
    },
  };
}
