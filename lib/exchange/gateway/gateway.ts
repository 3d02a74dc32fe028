/**
 * The gateway: order entry over WebSocket and TCP, into `gateway.orders` and out of
 * `engine.events`. The protocols are in docs/pipeline.md.
 *
 * @module
 */

import { openProducer } from "../../channel/producer.ts";
import { DurabilityError } from "../../errors.ts";
import { readReport } from "../../native/ring.ts";
import { tellRecovery } from "../../observability/checkpoint_counters.ts";
import { BinaryCodec } from "./binary_codec.ts";
import { EventCheckpoints } from "../event_checkpoints.ts";
import { EventRelay } from "./event_relay.ts";
import type { GatewayCodec } from "./gateway_codec.ts";
import { GatewayConnection } from "./gateway_connection.ts";
import { GatewayCore } from "./gateway_core.ts";
import { GatewayListener } from "./gateway_listener.ts";
import {
  checkGatewayOptions,
  type GatewayLimits,
  type GatewayOptions,
  type ListenOptions,
} from "./gateway_options.ts";
import { GatewaySessions } from "./gateway_sessions.ts";
import { JsonCodec } from "./json_codec.ts";
import { LogonDesk } from "./logon_desk.ts";
import { OrderEntry } from "./order_entry.ts";
import type { RefusalReason } from "./refusal.ts";
import { SteadyInstruments } from "./steady_instruments.ts";
import { readUnanswered } from "./unanswered.ts";
import { openSessionStore } from "./session_store.ts";

/** Milliseconds in which a gateway that stops waits for what is not durable yet. */
const STOP_MS = 5_000;

/** Looks at heartbeats and deadlines in each of them. */
const TICKS_PER_INTERVAL = 4;

/** Connections over the limit that are told so at the same time; those beyond are just closed. */
const REFUSED_MAX = 64;

/** What a gateway has done since it was started. */
export interface GatewayCounts {
  /** Connections and sessions that there are. */
  connections: number;
  sessions: number;
  /** Orders that were published, and that were acknowledged. */
  orders: number;
  acknowledged: number;
  /** Logons to new sessions, and to old ones. */
  logons: number;
  resumed: number;
  /** Requests that were refused and connections that were ended, by reason. */
  refused: Partial<Record<RefusalReason, number>>;
}

/** What a gateway knew again when it was started. */
export interface GatewayRecovery {
  /** Sessions that its store has. */
  sessions: number;
  /** Last event that was in the checkpoint of the sessions; 0 for none. */
  checkpointSequence: number;
  /** Events behind that, which were read again. */
  replayed: number;
}

/** A running gateway. Made by {@linkcode startGateway}. */
export class Gateway implements AsyncDisposable {
  /** What it knew again before it began to listen. */
  readonly recovered: GatewayRecovery;
  /** Port of the WebSockets. */
  readonly webSocketPort: number;
  /** Port of the binary protocol; undefined if it does not listen for it. */
  readonly tcpPort: number | undefined;
  readonly #core: GatewayCore;
  readonly #sessions: GatewaySessions;
  readonly #checkpoints: EventCheckpoints;
  readonly #ends: DisposableStack;
  readonly #running = new Map<GatewayConnection, Promise<void>>();
  readonly #refused = new Set<GatewayConnection>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #listeners: GatewayListener[] = [];
  readonly #relaying: Promise<void>;
  readonly #onProblem: (text: string) => void;
  #stopping: Promise<void> | undefined;

  /** @ignore Takes over what {@linkcode startGateway} has opened, and begins to listen. */
  constructor(
    options: GatewayOptions,
    { core, sessions, checkpoints, relay, ends, recovered }: {
      recovered: GatewayRecovery;
      core: GatewayCore;
      sessions: GatewaySessions;
      checkpoints: EventCheckpoints;
      relay: EventRelay;
      ends: DisposableStack;
    },
  ) {
    this.recovered = recovered;
    this.#core = core;
    this.#sessions = sessions;
    this.#checkpoints = checkpoints;
    this.#ends = ends;
    this.#onProblem = options.onProblem ?? (() => {});
    const { webSocket = {}, tcp, allowRemote = false } = options;
    const { instruments } = core;
    const { maxMessageBytes: messageBytesMax, heartbeatMs, logonTimeoutMs } = core.limits;
    const entry = new OrderEntry(instruments);
    const json = () => new JsonCodec(entry, instruments, { messageBytesMax, allowRemote });
    this.webSocketPort = this.#listen(webSocket, json);
    this.tcpPort = tcp && this.#listen(tcp, () => new BinaryCodec(entry));
    const tickMs = Math.min(heartbeatMs, logonTimeoutMs) / TICKS_PER_INTERVAL;
    const ticker = setInterval(() => this.#tick(), tickMs);
    ends.defer(() => clearInterval(ticker));
    this.#ended.promise.catch(() => {}); // Whoever wants to know asks for it.
    this.#relaying = this.#relay(relay);
  }

  /** Resolves when it has stopped; rejects when it cannot go on. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** What it has done. */
  counts(): GatewayCounts {
    const { counts, refused, intake } = this.#core;
    return {
      connections: this.#running.size,
      sessions: this.#sessions.size,
      ...counts,
      acknowledged: intake.acknowledgedCount,
      refused: { ...refused },
    };
  }

  #listen({ hostname = "127.0.0.1", port = 0 }: ListenOptions, codec: () => GatewayCodec): number {
    const accept = (socket: Deno.TcpConn) => this.#accept(socket, codec());
    const listener = new GatewayListener({ hostname, port }, accept);
    this.#ends.defer(() => void listener.close());
    this.#listeners.push(listener);
    return listener.port;
  }

  #accept(socket: Deno.TcpConn, codec: GatewayCodec): void {
    const { maxConnections } = this.#core.limits;
    const isFull = this.#running.size - this.#refused.size >= maxConnections;
    if (isFull && this.#refused.size >= REFUSED_MAX) return socket.close();
    const connection = new GatewayConnection(socket, codec, this.#core);
    const run = connection.run().catch((error) => this.#ended.reject(error)).finally(() => {
      this.#running.delete(connection);
      this.#refused.delete(connection);
      this.#core.desk.release(connection);
    });
    this.#running.set(connection, run);
    if (!isFull) return;
    this.#refused.add(connection);
    const text = `connections: expected at most ${maxConnections}, found as many`;
    connection.end({ reason: "too_many_connections", text });
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const connection of this.#running.keys()) connection.tick(nowMs);
    const { size } = this.#sessions;
    this.#core.counters?.update({ connections: this.#running.size, sessions: size });
  }

  async #relay(relay: EventRelay): Promise<void> {
    try {
      await relay.run();
    } catch (error) {
      if (this.#stopping !== undefined) return; // Its channels were closed.
      // What is not durable is told to nobody; orders are refused until somebody mends the disk.
      if (error instanceof DurabilityError) this.#onProblem(error.message);
      else this.#ended.reject(error);
    }
  }

  /**
   * Stops it: takes no more orders, acknowledges those that it has taken, tells clients, keeps its
   * sessions. May be repeated.
   */
  async stop(): Promise<void> {
    await (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#core.stop();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await within(this.#core.intake.idle(), STOP_MS);
    for (const connection of this.#running.keys()) {
      connection.end({ reason: "going_away", text: "the gateway stops; come back with the token" });
    }
    await Promise.all(this.#running.values());
    await this.#checkpoints.finish();
    this.#ends.dispose();
    await this.#relaying;
    this.#ended.resolve();
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Waits for something, but not for ever. */
async function within(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}

/**
 * Starts a gateway. It knows its sessions and their events again before it listens.
 *
 * An order is acknowledged when it is as durable as its channel promises, and not before. A
 * session's events are numbered without gaps, the same after any restart, and are told when the
 * order that caused them is durable. A client that resends is answered, and its order is executed
 * once: the engine is the judge of that. What the gateway cannot take it refuses, and says why.
 *
 * Thread: its isolate's event loop. Several gateways may share an engine, each with an id and a
 * directory of its own.
 *
 * @throws {TypeError} If a channel is of a kind that it cannot use.
 * @throws {RangeError} If a number is out of its range, or the directory is another gateway's.
 * @throws {Deno.errors.Busy} If another process has its directory open.
 * @throws {CorruptLogError} If events know of orders that are lost, or are damaged.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const limits = checkGatewayOptions(options);
  const ends = new DisposableStack();
  try {
    return await recoverGateway(options, limits, ends);
  } catch (error) {
    ends.dispose();
    throw error;
  }
}

/** Counts messages that are no events, and tells of the first: more would say no more. */
function malformedTeller(
  { events, counters, onProblem = () => {} }: GatewayOptions,
): (sequence: number, found: string) => void {
  let isTold = false;
  return (sequence, found) => {
    counters?.values.malformed.add();
    if (isTold) return;
    isTold = true;
    onProblem(
      `Cannot take message ${sequence} of channel "${events.name}" as an event of the engine: ` +
        `found ${found}; it is passed over, and so are others like it`,
    );
  };
}

async function recoverGateway(
  options: GatewayOptions,
  limits: GatewayLimits,
  ends: DisposableStack,
): Promise<Gateway> {
  const startMs = performance.now();
  const { orders, events, stateDirectory, gatewayId = 1, onProblem = () => {}, counters } = options;
  const store = ends.use(await openSessionStore(`${stateDirectory}/sessions`, gatewayId));
  const sessions = new GatewaySessions(gatewayId, limits);
  for (const key of await store.all()) sessions.add(key);
  const checkpoints = new EventCheckpoints(`${stateDirectory}/checkpoints`, {
    ...{ stateId: "sessions", state: sessions, intervalMs: limits.snapshotIntervalMs },
    mayKeep: () => sessions.changed.size === 0, // Not before it may be told.
    onFailure: ({ message }) => onProblem(message),
    counters,
  });
  ends.use(checkpoints);
  const name = `gateway-${gatewayId}`;
  const { consumer, sequence, last, damaged } = await checkpoints.recover(events, name);
  ends.use(consumer);
  const producer = ends.use(openProducer(orders, { name }));
  const desk = new LogonDesk(sessions, store, limits.maxSessions);
  const instruments = new SteadyInstruments(
    options.instruments,
    ({ message }) => onProblem(message),
  );
  const core = new GatewayCore(limits, { producer, desk, instruments, counters });
  const relay = new EventRelay({
    ...{ consumer, sessions, resendWindow: limits.resendWindow },
    settle: (orderSequence) => core.intake.durable(orderSequence),
    onRelease: (session) => desk.connectionOf(session)?.pump(),
    onSettled: () => checkpoints.poke(),
    onEvents: (count) => counters?.values.events.add(count),
    lastOrder: () => readReport(orders.handle).nextSequence - 1, // 3 us, where stats() takes 100.
    onMalformed: malformedTeller(options),
  });
  await relay.catchUp(last);
  readUnanswered(orders, sessions);
  desk.open();
  const recovered = {
    ...{ sessions: sessions.size, checkpointSequence: sequence },
    replayed: Math.max(0, last - sequence),
  };
  if (counters !== undefined) {
    const recoveryMs = performance.now() - startMs;
    const facts = { recoveryMs, replayed: recovered.replayed, damaged };
    tellRecovery(counters, facts, [orders, events]);
  }
  return new Gateway(options, { core, sessions, checkpoints, relay, recovered, ends });
}
