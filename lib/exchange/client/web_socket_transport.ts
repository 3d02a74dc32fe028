/**
 * A client's WebSocket to its gateway.
 *
 * @module
 */

import type { ClientRequest, ClientTransport, GatewayMessage } from "./client_transport.ts";
import { readGatewayMessage } from "./gateway_message.ts";

/** JSON over a WebSocket. Works in browsers as well. */
export class WebSocketTransport implements ClientTransport {
  onMessage: (message: GatewayMessage | undefined) => void = () => {};
  readonly #socket: WebSocket;
  readonly #waiting: string[] = [];

  /** Connects to `ws://host:port/`. */
  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => {
      for (const text of this.#waiting.splice(0)) this.#socket.send(text);
    };
    this.#socket.onmessage = ({ data }) => this.onMessage(readGatewayMessage(data));
    this.#socket.onerror = (event) => event.preventDefault(); // An end follows.
    this.#socket.onclose = () => this.onMessage(undefined);
  }

  /** See {@linkcode ClientTransport}. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Logs on. */
  logon(token: string | undefined, lastReceived: number): void {
    this.#send({ type: "logon", ...(token === undefined ? {} : { token, lastReceived }) });
  }

  /** Sends a request. */
  request(clientSequence: number, { type, ...request }: ClientRequest): void {
    this.#send({ type, clientSequence, ...request });
  }

  /** Says that it is there. */
  heartbeat(): void {
    this.#send({ type: "heartbeat" });
  }

  /** Says that it goes. */
  logout(): void {
    this.#send({ type: "logout" });
  }

  #send(message: object): void {
    const text = JSON.stringify(message);
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
    else if (this.#socket.readyState === WebSocket.CONNECTING) this.#waiting.push(text);
  }

  /** Ends it. */
  close(): void {
    this.onMessage = () => {};
    this.#socket.close();
  }
}
