/**
 * What a gateway is made with, and how that is checked.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import type { Counters } from "../../observability/counters.ts";
import type { GatewayDefinitions } from "./gateway_counters.ts";
import type { InstrumentSource } from "./steady_instruments.ts";

/** Limits of a gateway. Each has a default. */
export interface GatewayLimits {
  /** Milliseconds of silence after which a side sends a heartbeat; three of them end it. 1000. */
  heartbeatMs: number;
  /** Milliseconds that a new connection has for handshake and logon. 5000. */
  logonTimeoutMs: number;
  /** Connections at the same time. 1024. */
  maxConnections: number;
  /** Sessions at the same time, with or without a connection. 4096. */
  maxSessions: number;
  /** Requests of a session in a second, and at once. 10000. */
  ordersPerSecond: number;
  /** Events that are kept for each session: a power of two from 16 to 65536. 1024. */
  resendWindow: number;
  /** Bytes of a message in JSON. 4096. */
  maxMessageBytes: number;
  /** Bytes that wait for a client that does not read, before it is disconnected. 1 MiB. */
  outboxBytesMax: number;
  /** Milliseconds between two checkpoints of the sessions. 5000. */
  snapshotIntervalMs: number;
}

/** Where a server listens. */
export interface ListenOptions {
  /** Address. Default: `127.0.0.1`. */
  hostname?: string;
  /** Port; 0 for any that is free. Default: 0. */
  port?: number;
}

/** How a gateway is started. */
export interface GatewayOptions extends Partial<GatewayLimits> {
  /** `gateway.orders`: takes many producers, for {@linkcode OrderRequest}s. Stays open. */
  orders: Channel;
  /** `engine.events`: with a log, of {@linkcode EngineEvent}s. Stays open. */
  events: Channel;
  /** What is traded. */
  instruments: InstrumentSource;
  /** Directory of its sessions. Exists; its own alone. */
  stateDirectory: string;
  /** 1 to 1048576; no two gateways of an engine may have the same, ever. Default: 1. */
  gatewayId?: number;
  /** WebSockets. Default: listens at 127.0.0.1. */
  webSocket?: ListenOptions;
  /**
   * Whether clients may reach the WebSockets by any name. Default: false, by those of loopback
   * alone, so that no page of the web reaches them by a name of its own that leads here.
   */
  allowRemote?: boolean;
  /** The binary protocol over TCP. Default: does not listen. */
  tcp?: ListenOptions;
  /** Told of what an operator should know, in a line. Default: nobody is. */
  onProblem?: (text: string) => void;
  /** Where it counts what it does, exact to a batch. Default: nowhere. */
  counters?: Counters<GatewayDefinitions>;
}

const DEFAULTS: GatewayLimits = {
  heartbeatMs: 1_000,
  logonTimeoutMs: 5_000,
  maxConnections: 1_024,
  maxSessions: 4_096,
  ordersPerSecond: 10_000,
  resendWindow: 1_024,
  maxMessageBytes: 4_096,
  outboxBytesMax: 1_048_576,
  snapshotIntervalMs: 5_000,
};

const RANGES: Readonly<Record<keyof GatewayLimits, readonly [number, number]>> = {
  heartbeatMs: [10, 3_600_000],
  logonTimeoutMs: [10, 3_600_000],
  maxConnections: [1, 100_000],
  maxSessions: [1, 1_000_000],
  ordersPerSecond: [1, 1_000_000_000],
  resendWindow: [16, 65_536],
  maxMessageBytes: [256, 65_536],
  outboxBytesMax: [4_096, 1_073_741_824],
  snapshotIntervalMs: [1, 1_000_000_000],
};

/** Highest id that a gateway may have. */
const GATEWAY_ID_MAX = 2 ** 20;

/**
 * Returns a gateway's limits.
 *
 * @throws {RangeError} If a number is out of its range.
 * @throws {TypeError} If a channel is of a kind that a gateway cannot use.
 */
export function checkGatewayOptions(options: GatewayOptions): GatewayLimits {
  const { orders, events, gatewayId = 1 } = options;
  const limits = { ...DEFAULTS };
  for (const [name, [min, max]] of Object.entries(RANGES)) {
    const key = name as keyof GatewayLimits;
    const value = options[key] ?? DEFAULTS[key];
    if (!(Number.isSafeInteger(value) && value >= min && value <= max)) {
      throw outOfRange(name, `a whole number from ${min} to ${max}`, value);
    }
    limits[key] = value;
  }
  if (!Number.isInteger(Math.log2(limits.resendWindow))) {
    throw outOfRange("resendWindow", "a power of two", limits.resendWindow);
  }
  if (!(Number.isInteger(gatewayId) && gatewayId >= 1 && gatewayId <= GATEWAY_ID_MAX)) {
    throw outOfRange("gatewayId", `1 to ${GATEWAY_ID_MAX}`, gatewayId);
  }
  if (orders.producers !== "many") {
    throw new TypeError(`Cannot start a gateway on "${orders.name}": expected many producers`);
  }
  if (events.logDirectory === undefined) {
    throw new TypeError(
      `Cannot start a gateway on "${events.name}": expected a log (walDir), from which it ` +
        `numbers its sessions' events after a restart; found none`,
    );
  }
  return limits;
}

function outOfRange(what: string, expected: string, found: unknown): RangeError {
  return new RangeError(
    `Cannot start a gateway: expected ${what} to be ${expected}, found ${found}`,
  );
}
