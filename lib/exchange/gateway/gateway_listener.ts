/**
 * Listeners: sockets that clients connect to.
 *
 * @module
 */

/** Milliseconds to wait when a connection cannot be accepted: the process has no file left. */
const RETRY_MS = 100;

/** Accepts connections until it is closed. */
export class GatewayListener {
  readonly #listener: Deno.TcpListener;
  readonly #accept: (socket: Deno.TcpConn) => void;
  readonly #done: Promise<void>;
  #isClosing = false;

  /** Listens, and gives each connection to `accept`. */
  constructor(
    options: { hostname: string; port: number },
    accept: (socket: Deno.TcpConn) => void,
  ) {
    this.#listener = Deno.listen(options);
    this.#accept = accept;
    this.#done = this.#run();
  }

  /** Port that it listens at. */
  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      try {
        this.#accept(await this.#listener.accept());
      } catch (error) {
        if (this.#isClosing) return;
        if (error instanceof Deno.errors.BadResource) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Accepts no more. May be repeated. */
  async close(): Promise<void> {
    if (!this.#isClosing) this.#listener.close();
    this.#isClosing = true;
    await this.#done;
  }
}
