/**
 * What tests of the gateway share: channels, an engine and a gateway in this process, and clients
 * that say whatever bytes they like.
 *
 * @module
 */

import {
  type ClientRequest,
  EngineEvent,
  type Gateway,
  type GatewayOptions,
  MatchingEngine,
  startGateway,
} from "../lib/exchange/mod.ts";
import { type Instruments, openInstruments } from "../lib/market/mod.ts";
import { openChannels } from "./_gateway_channels.ts";
import {
  type Channel,
  type ChannelOptions,
  monotonicNs,
  openConsumer,
  openProducer,
} from "../mod.ts";

export { openChannels };

monotonicNs(); // Loads the library, which stays: no single test is to blame for that.

/** A test that waits longer fails. Generous, as machines may be slow. */
const WATCHDOG_MS = 120_000;

/** Clients here send no heartbeats: a gateway gives none of them up before the watchdog does. */
export const HEARTBEAT_MS = WATCHDOG_MS;

/** Nor for a logon that a busy machine keeps back. */
const LOGON_TIMEOUT_MS = WATCHDOG_MS;

/** Waits for something that must come. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const { promise: overdue, reject } = Promise.withResolvers<never>();
  const error = new Error(`Cannot wait for ${what}: found that it never comes`);
  const timer = setTimeout(() => reject(error), WATCHDOG_MS);
  try {
    return await Promise.race([promise, overdue]);
  } finally {
    clearTimeout(timer);
  }
}

/** An exchange in a temporary directory: channels and instruments; an engine and gateways. */
export class TestExchange implements AsyncDisposable {
  readonly directory: string = Deno.makeTempDirSync();
  readonly orders: Channel;
  readonly events: Channel;
  readonly instruments: Instruments;
  readonly #gateways: Gateway[] = [];
  readonly #problems: string[] = [];
  #engine: { close: () => void; ended: Promise<void> } | undefined;

  constructor(ordersOptions: ChannelOptions = {}) {
    const { orders, events } = openChannels(this.directory, ordersOptions);
    this.orders = orders;
    this.events = events;
    this.instruments = openInstruments(`${this.directory}/instruments`);
    this.instruments.intern("BTC-USD", { priceDecimals: 2, quantityDecimals: 8 });
    this.instruments.intern("ETH-USD", { priceDecimals: 1, quantityDecimals: 4 });
  }

  /** What gateways had to tell an operator. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Starts a gateway on both protocols. */
  async gateway(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const { orders, events, instruments } = this;
    const stateDirectory = `${this.directory}/gateway-${options.gatewayId ?? 1}`;
    Deno.mkdirSync(stateDirectory, { recursive: true });
    const gateway = await startGateway({
      ...{ orders, events, instruments, stateDirectory, tcp: {} },
      ...{ heartbeatMs: HEARTBEAT_MS, logonTimeoutMs: LOGON_TIMEOUT_MS },
      onProblem: (text) => void this.#problems.push(text),
      ...options,
    });
    this.#gateways.push(gateway);
    return gateway;
  }

  /** Runs the matching engine in this process, from the first request, or from where it was. */
  startEngine(engine: MatchingEngine = this.newEngine()): MatchingEngine {
    const consumer = openConsumer(this.orders, { name: "engine", from: "earliest" });
    const ended = (async () => {
      while (await consumer.wait()) {
        consumer.poll(({ view, offset, sequence, length }) => {
          if (sequence > engine.lastSequence) engine.apply(view, offset, sequence, length);
        });
      }
    })();
    this.#engine = { close: () => consumer.close(), ended };
    return engine;
  }

  /** An engine that publishes what is not published yet. */
  newEngine(): MatchingEngine {
    const producer = openProducer(this.events, { name: "engine" });
    const published = this.events.stats().nextSequence - 1;
    const event = EngineEvent.accessor();
    return new MatchingEngine({
      instruments: this.instruments.all(),
      onEvent(view, offset) {
        const fields = event.wrap(view, offset);
        if (fields.eventNumber <= published) return;
        fields.engineTimeNs = monotonicNs();
        producer.write(
          new Uint8Array(view.buffer, view.byteOffset + offset, EngineEvent.sizeBytes),
        );
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#engine?.close();
    await this.#engine?.ended;
    for (const gateway of this.#gateways) await gateway.stop();
    this.orders.close();
    this.events.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** A message of the gateway, whatever it is. */
// deno-lint-ignore no-explicit-any
export type Told = Record<string, any>;

/** A WebSocket client that sends what it is told to, and keeps what it receives. */
export class RawSocket implements Disposable {
  readonly #socket: WebSocket;
  readonly told: Told[] = [];
  readonly closed: Promise<CloseEvent>;
  #wake = Promise.withResolvers<void>();

  constructor(port: number) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const { promise, resolve } = Promise.withResolvers<CloseEvent>();
    this.closed = promise;
    this.#socket.onmessage = ({ data }) => {
      this.told.push(JSON.parse(data));
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    };
    this.#socket.onerror = (event) => event.preventDefault();
    this.#socket.onclose = (event) => {
      resolve(event);
      this.#wake.resolve();
    };
  }

  /** Connects and logs on. */
  static async logon(port: number, logon: object = {}): Promise<RawSocket> {
    const socket = new RawSocket(port);
    await socket.opened();
    socket.send({ type: "logon", ...logon });
    return socket;
  }

  async opened(): Promise<void> {
    if (this.#socket.readyState === WebSocket.OPEN) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.addEventListener("open", () => resolve());
    this.#socket.addEventListener("close", () => reject(new Error("Cannot open a WebSocket")));
    await within("an open WebSocket", promise);
  }

  send(message: object | string | Uint8Array<ArrayBuffer>): void {
    const isRaw = typeof message === "string" || message instanceof Uint8Array;
    this.#socket.send(isRaw ? message : JSON.stringify(message));
  }

  /**
   * Waits for the next message that has this type, and takes it out. Those before it stay: whether
   * an acknowledgement or an event comes first is not promised.
   */
  async next(type: string): Promise<Told> {
    const found = within(`a message of type "${type}"`, this.#find(type));
    return await found.catch((error) => {
      throw new Error(`${error.message}; found ${JSON.stringify(this.told)}`);
    });
  }

  async #find(type: string): Promise<Told> {
    for (;;) {
      const at = this.told.findIndex((message) => message.type === type);
      if (at >= 0) return this.told.splice(at, 1)[0]!;
      if (this.#socket.readyState === WebSocket.CLOSED) throw new Error("found it closed");
      await this.#wake.promise;
    }
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A request for a new order that rests: far from any other. */
export function newOrder(clientSequence: number, fields: object = {}): Told {
  return {
    ...{ type: "new", clientSequence, clientOrderId: clientSequence, symbol: "BTC-USD" },
    ...{ side: "buy", orderType: "limit", timeInForce: "gtc", price: "100.25", quantity: "0.5" },
    ...fields,
  };
}

/** The same for a {@linkcode GatewayClient}. */
export function restingOrder(clientOrderId: number): ClientRequest {
  return {
    ...{ type: "new", clientOrderId, symbol: "BTC-USD", side: "buy", orderType: "limit" },
    ...{ timeInForce: "gtc", price: "1", quantity: "1" },
  };
}

/** A TCP client that sends bytes. */
export class RawTcp implements Disposable {
  readonly #socket: Deno.TcpConn;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  static async connect(port: number): Promise<RawTcp> {
    return new RawTcp(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(bytes: Uint8Array | string): Promise<void> {
    let rest = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    while (rest.length > 0) rest = rest.subarray(await this.#socket.write(rest));
  }

  /** Reads until the gateway closes. */
  async readAll(): Promise<Uint8Array<ArrayBuffer>> {
    const read = async () => {
      const parts: Uint8Array[] = [];
      for (;;) {
        const part = new Uint8Array(4096);
        const count = await this.#socket.read(part).catch((error) => {
          if (error instanceof Deno.errors.ConnectionReset) return null;
          throw error;
        });
        if (count === null) break;
        parts.push(part.subarray(0, count));
      }
      return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    };
    return await within("the gateway to close", read());
  }

  /** The same, as text. */
  async readText(): Promise<string> {
    return new TextDecoder().decode(await this.readAll());
  }

  [Symbol.dispose](): void {
    try {
      this.#socket.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
