/**
 * Fan-out: one feed to many clients, each at its own pace.
 *
 * @module
 */

import { encodeText } from "../../web_socket/frame.ts";
import { type ClientLimits, FeedClient, type FeedSink } from "./feed_client.ts";
import { readFeedRequest } from "./feed_request.ts";
import { snapshotText, TRADES_SENT_MAX, updateText } from "./feed_text.ts";
import { type FeedUpdate, type InstrumentFeed, TRADES_KEPT } from "./instrument_feed.ts";
import type { MarketFeed } from "./market_feed.ts";

/** How clients are served. */
export interface FanOutOptions extends Partial<ClientLimits> {
  /** Seconds after which a client that lags and takes nothing is ended. Default: 30. */
  stallSeconds?: number;
}

/** What a fan-out has done. */
export interface FanOutCounts {
  /** Frames handed over to clients, and their bytes. */
  frames: number;
  bytes: number;
  /** Frames that were made: fewer, as clients share them. */
  framesMade: number;
  /** Updates that were merged for clients that lagged. */
  conflated: number;
  /** Snapshots that were sent. */
  snapshots: number;
  /** Clients that were ended because they took too little. */
  slowEnded: number;
}

/** Default of {@linkcode ClientLimits.lagBytes}: a few round trips of a busy market. */
const LAG_BYTES = 64 * 1024;

/** Default of {@linkcode ClientLimits.bufferedBytesMax}: above the snapshot of a very deep book. */
const BUFFERED_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Frames that are made in one turn for clients that lag. Those of other clients wait for the next
 * turn: however many lag, a flush stays short.
 */
const CATCH_UPS_A_TURN = 64;

/**
 * Sends each update of a feed to all who want it, serialised once. A client that does not keep up
 * is left out, and brought to the newest state in one step when it has room: by its missed updates
 * merged into one, or by a snapshot. Nobody waits for it, and nothing is kept for it meanwhile.
 *
 * Thread: its isolate's only. Cost: a client without news costs nothing.
 */
export class FanOut {
  /** What was done. */
  readonly counts: FanOutCounts = {
    ...{ frames: 0, bytes: 0, framesMade: 0, conflated: 0, snapshots: 0, slowEnded: 0 },
  };
  readonly #feed: MarketFeed;
  readonly #limits: ClientLimits;
  readonly #stallSeconds: number;
  /** Each client, and for how many seconds nothing has left for it. */
  readonly #clients = new Map<FeedClient, number>();
  readonly #subscribers = new Map<InstrumentFeed, Set<FeedClient>>();
  readonly #behind = new Set<FeedClient>();
  /** Frames for clients that stand at the same place; good until the next flush. */
  readonly #catchUps = new Map<InstrumentFeed, Map<number | undefined, Uint8Array>>();

  /** Makes one without clients. */
  constructor(feed: MarketFeed, options: FanOutOptions = {}) {
    this.#feed = feed;
    const { lagBytes = LAG_BYTES, bufferedBytesMax = BUFFERED_BYTES_MAX } = options;
    this.#limits = { lagBytes, bufferedBytesMax };
    this.#stallSeconds = options.stallSeconds ?? 30;
  }

  /** How many clients there are. */
  get clientCount(): number {
    return this.#clients.size;
  }

  /** How many of them stand behind the last flush. */
  get behindCount(): number {
    return this.#behind.size;
  }

  /** Bytes that all clients together have not taken yet. */
  get bufferedBytes(): number {
    let sum = 0;
    for (const client of this.#clients.keys()) sum += client.bufferedBytes;
    return sum;
  }

  /** Adds a client. */
  add(sink: FeedSink): FeedClient {
    const client = new FeedClient(sink, this.#limits, this.counts);
    this.#clients.set(client, 0);
    return client;
  }

  /** Takes a client out whose connection has ended. */
  remove(client: FeedClient): void {
    client.gone();
    this.#clients.delete(client);
    this.#behind.delete(client);
    for (const market of client.markets) this.#subscribers.get(market)?.delete(client);
  }

  /**
   * Does what a client asks for; what it gets comes with the next flush.
   *
   * @param text What it has sent, which may be anything: it is answered by an error.
   */
  request(client: FeedClient, text: string): void {
    const request = readFeedRequest(text);
    if ("fault" in request) return this.#refuse(client, request.fault, request.text);
    const unknown: string[] = [];
    for (const symbol of request.symbols) {
      const market = this.#feed.market(symbol);
      if (market === undefined) {
        unknown.push(symbol.slice(0, 64));
      } else if (request.type === "subscribe") {
        const resume = request.resume.find((point) => point.symbol === symbol);
        client.subscribe(market, this.#feed.epoch, resume);
        this.#subscribersOf(market).add(client);
        this.#behind.add(client);
      } else {
        client.unsubscribe(market);
        this.#subscribers.get(market)?.delete(client);
      }
    }
    if (unknown.length === 0) return;
    const shown = unknown.slice(0, 8).map((symbol) => JSON.stringify(symbol)).join(", ");
    this.#refuse(client, "unknown_symbol", `found no market ${shown} (${unknown.length} in all)`);
  }

  /** Sends what has changed since the last flush, and what clients that lagged have missed. */
  flush(): void {
    this.#catchUps.clear();
    for (const market of this.#feed.markets) {
      const update = market.flush();
      if (update !== undefined) this.#publish(market, update);
    }
    let left = CATCH_UPS_A_TURN;
    for (const client of this.#behind) {
      if (left <= 0) break;
      if (!client.hasRoom) continue;
      this.#behind.delete(client);
      left -= this.#catchUp(client);
    }
  }

  /** Whether a flush would do something, though nothing has changed. */
  get hasCatchUps(): boolean {
    for (const client of this.#behind) if (client.hasRoom) return true;
    return false;
  }

  /** Sends a text to all clients that have room: for news of which only the last one counts. */
  broadcast(text: string): void {
    const frame = this.#frame(text);
    for (const client of this.#clients.keys()) if (client.hasRoom) client.send(frame);
  }

  /** Ends clients that have taken nothing for too long: to be called once in each second. */
  endStalled(): void {
    for (const [client, seconds] of this.#clients) {
      if (!client.isOpen) continue;
      const stalled = client.hasProgress() ? 0 : seconds + 1;
      this.#clients.set(client, stalled);
      if (stalled < this.#stallSeconds) continue;
      this.counts.slowEnded++;
      client.end(`too slow: nothing was taken for ${stalled} seconds`);
    }
  }

  #publish(market: InstrumentFeed, update: FeedUpdate): void {
    const subscribers = this.#subscribers.get(market);
    if (subscribers === undefined) return;
    let frame: Uint8Array | undefined;
    for (const client of subscribers) {
      if (!client.canTake(market, update)) {
        this.#behind.add(client);
        continue;
      }
      frame ??= this.#frame(updateText(market, update, TRADES_KEPT));
      this.#bring(client, market, frame);
    }
  }

  /** Brings a client to the last flush in as many of its markets as it has room for. */
  #catchUp(client: FeedClient): number {
    let frames = 0;
    for (const market of [...client.markets]) {
      if (client.isCurrent(market)) continue;
      if (!client.hasRoom) {
        this.#behind.add(client);
        break;
      }
      this.#bring(client, market, this.#catchUpFrame(market, client.sequenceIn(market)));
      client.putLast(market);
      frames++;
    }
    return frames;
  }

  #catchUpFrame(market: InstrumentFeed, sequence: number | undefined): Uint8Array {
    const made = getOrMake(this.#catchUps, market, () => new Map<number | undefined, Uint8Array>());
    const update = sequence === undefined ? undefined : market.since(sequence);
    if (update === undefined) {
      this.counts.snapshots++;
      return getOrMake(
        made,
        undefined,
        () => this.#frame(snapshotText(market, this.#feed.epoch)),
      );
    }
    this.counts.conflated++;
    return getOrMake(
      made,
      sequence,
      () => this.#frame(updateText(market, update, TRADES_SENT_MAX)),
    );
  }

  #bring(client: FeedClient, market: InstrumentFeed, frame: Uint8Array): void {
    if (client.bring(market, frame)) return;
    this.counts.slowEnded++;
    this.#behind.delete(client);
  }

  #refuse(client: FeedClient, reason: string, text: string): void {
    client.send(this.#frame(JSON.stringify({ type: "error", reason, text })));
  }

  #frame(text: string): Uint8Array {
    this.counts.framesMade++;
    return encodeText(text);
  }

  #subscribersOf(market: InstrumentFeed): Set<FeedClient> {
    return getOrMake(this.#subscribers, market, () => new Set<FeedClient>());
  }
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  map.set(key, value);
  return value;
}
