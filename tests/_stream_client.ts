/**
 * A client of market data's stream for tests, and requests that no client library would send.
 *
 * @module
 */

import { ClientView } from "./_market_data.ts";

/** A test that waits for so long fails. Generous, as machines may be slow. */
const WATCHDOG_MS = 300_000;

/** A WebSocket that keeps a view of its markets. */
export class StreamClient implements AsyncDisposable {
  readonly view = new ClientView();
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<{ code: number; reason: string }>();
  #changed = Promise.withResolvers<void>();
  #failure: unknown;

  private constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => {
      try {
        this.view.take(data);
      } catch (error) {
        this.#failure ??= error; // Thrown to the test, which would not see it here.
      }
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    };
    this.#socket.onclose = ({ code, reason }) => {
      this.#closed.resolve({ code, reason });
      this.#changed.resolve();
    };
  }

  /** Connects, and subscribes to some markets. */
  static async open(port: number, symbols: string[], resume?: unknown): Promise<StreamClient> {
    const client = new StreamClient(`ws://127.0.0.1:${port}/stream`);
    const socket = client.#socket;
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("Cannot connect"));
    });
    socket.onerror = () => {};
    client.send(JSON.stringify({ type: "subscribe", symbols, resume }));
    return client;
  }

  /** Sends a text. */
  send(text: string): void {
    this.#socket.send(text);
  }

  /** Waits until its view is as wanted. */
  async until(what: string, condition: (view: ClientView) => boolean): Promise<void> {
    let isOverdue = false;
    const watchdog = setTimeout(() => {
      isOverdue = true;
      this.#changed.resolve();
    }, WATCHDOG_MS);
    try {
      while (!condition(this.view)) {
        if (this.#failure !== undefined) throw this.#failure;
        if (isOverdue || this.#socket.readyState === WebSocket.CLOSED) {
          throw new Error(`Cannot wait until ${what}: found ${JSON.stringify(this.view)}`);
        }
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** How its connection ended. */
  get closed(): Promise<{ code: number; reason: string }> {
    return this.#closed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#closed.promise;
  }
}

/** A TCP connection over which a test says what it wants. */
export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects. */
  static async open(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Connects, and becomes a WebSocket. */
  static async openStream(port: number, headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await RawClient.open(port);
    const all = {
      ...{ Host: "127.0.0.1", Upgrade: "websocket", Connection: "Upgrade" },
      ...{ "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" },
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    await client.write(`GET /stream HTTP/1.1\r\n${lines.join("")}\r\n`);
    return client;
  }

  /** Writes text or bytes; says nothing where the server has gone. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    try {
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe || isReset(error))) throw error;
    }
  }

  /** Reads what is there, as text of one byte a character; undefined at the end. */
  async read(): Promise<string | undefined> {
    const bytes = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(bytes).catch((error: unknown) => {
      if (isReset(error)) return null;
      throw error;
    });
    if (count === null) return undefined;
    return String.fromCharCode(...bytes.subarray(0, count));
  }

  /** Reads until the server ends the connection. */
  async readAll(): Promise<string> {
    let all = "";
    for (;;) {
      const text = await this.read();
      if (text === undefined) return all;
      all += text;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset;
}
