/**
 * The clients of `fanout.ts`: WebSockets in a process of their own. Each checks that every update
 * follows the one before, and leaves with the last one.
 *
 * @module
 */

import { monotonicNs } from "../mod.ts";
import { type Percentiles, percentilesOf } from "./_context.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What the clients are to do. */
export interface FanoutClientsJob extends Record<string, unknown> {
  portFile: string;
  clients: number;
  /** Sequence with which they leave. */
  lastSequence: number;
  /** Updates that each gets at most. */
  updates: number;
}

/** What the clients have measured, all together. */
export interface FanoutClientsAnswer {
  /** Updates received. */
  received: number;
  /** From the first to the last one. */
  seconds: number;
  /** From when an update should have been sent. */
  latency: Percentiles;
}

interface Update {
  type: string;
  sequence: number;
  from: number;
  to: number;
  bids: [price: string, quantity: string][];
}

const { portFile, clients, lastSequence, updates } = takeJob<
  FanoutClientsJob & { core?: number }
>();
const latenciesNs = new Float64Array(clients * updates);
let received = 0;
let wrong = 0;
let firstNs = 0;

function follow(port: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/stream`);
  let sequence = 0;
  socket.onopen = () => socket.send('{"type":"subscribe","symbols":["BTC-USD"]}');
  socket.onerror = () => reject(new Error("Cannot follow: found the connection lost"));
  socket.onclose = () => resolve();
  socket.onmessage = ({ data }) => {
    const nowNs = monotonicNs();
    const message: Update = JSON.parse(data);
    if (message.type !== "update") return;
    firstNs ||= nowNs;
    if (message.from !== sequence || received === latenciesNs.length) wrong++;
    sequence = message.to;
    latenciesNs[received++] = nowNs - Number(message.bids[0]![1]) * 1000;
    if (sequence === lastSequence) socket.close();
  };
  return promise;
}

ready();
const port = Deno.readTextFileSync(portFile);
await Promise.all(Array.from({ length: clients }, () => follow(port)));
const seconds = (monotonicNs() - firstNs) / 1e9;
checkAnswers(wrong);
const latency = percentilesOf(latenciesNs.subarray(0, received));
answer({ received, seconds, latency } satisfies FanoutClientsAnswer);
