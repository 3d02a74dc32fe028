/**
 * One client of a feed: what it has, and what it is to get next.
 *
 * @module
 */

import { epochOf } from "./feed_text.ts";
import type { FeedUpdate, InstrumentFeed } from "./instrument_feed.ts";

/** A connection to a client. It never blocks: what cannot be sent yet is kept, and counted. */
export interface FeedSink {
  /** Bytes that were handed over and have not left this process. */
  readonly bufferedBytes: number;
  /** Hands a whole frame over. */
  send(frame: Uint8Array): void;
  /** Ends the connection, and tells the client why where it still listens. */
  close(reason: string): void;
}

/** How much a client may leave unread. */
export interface ClientLimits {
  /** Above so many bytes a client lags: it is sent nothing until they are fewer. */
  lagBytes: number;
  /** A frame that would make it more bytes ends the connection. */
  bufferedBytesMax: number;
}

/** Where a client stands in a market. */
interface Standing {
  /** Of the market; 0 for one that needs a snapshot. */
  generation: number;
  sequence: number;
  /** Whether it was sent nothing of it yet: one that resumes is told that it could. */
  isNew: boolean;
}

/** What a client was sent. */
export interface ClientCounts {
  frames: number;
  bytes: number;
}

/**
 * A client and its markets. Keeps two numbers for each and no frames: one that lags costs no more
 * memory than its own buffer, which has a cap.
 */
export class FeedClient {
  /** Its markets, in the order in which they are served: who was served last goes to the end. */
  readonly #standings = new Map<InstrumentFeed, Standing>();
  readonly #sink: FeedSink;
  readonly #limits: ClientLimits;
  readonly #counts: ClientCounts;
  #bufferedBefore = 0;
  #isOpen = true;

  /** `counts` is shared by all clients. */
  constructor(sink: FeedSink, limits: ClientLimits, counts: ClientCounts) {
    this.#sink = sink;
    this.#limits = limits;
    this.#counts = counts;
  }

  /** Whether its connection has not ended. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Bytes that it has not taken yet. */
  get bufferedBytes(): number {
    return this.#sink.bufferedBytes;
  }

  /** Whether it has room for another frame. */
  get hasRoom(): boolean {
    return this.#isOpen && this.#sink.bufferedBytes <= this.#limits.lagBytes;
  }

  /** Its markets. */
  get markets(): Iterable<InstrumentFeed> {
    return this.#standings.keys();
  }

  /**
   * Adds a market. It needs a snapshot, unless it stands in this run's book already.
   *
   * @param resume Where it stands, if it knows.
   */
  subscribe(
    market: InstrumentFeed,
    feedEpoch: string,
    resume?: { sequence: number; epoch: string },
  ): void {
    const isSame = resume !== undefined && resume.epoch === epochOf(market, feedEpoch);
    this.#standings.set(market, {
      generation: isSame ? market.generation : 0,
      sequence: isSame ? resume.sequence : 0,
      isNew: true,
    });
  }

  /** Takes a market away. */
  unsubscribe(market: InstrumentFeed): void {
    this.#standings.delete(market);
  }

  /** Whether an update is the next that it needs, and it has room for it. */
  canTake(market: InstrumentFeed, update: FeedUpdate): boolean {
    const standing = this.#standings.get(market);
    return standing !== undefined && standing.generation === market.generation &&
      standing.sequence === update.from && this.hasRoom;
  }

  /** Whether it has all that was flushed of a market. */
  isCurrent(market: InstrumentFeed): boolean {
    const standing = this.#standings.get(market);
    return standing === undefined || standing.generation === market.generation &&
        standing.sequence === market.flushedSequence && !standing.isNew;
  }

  /** Where it stands in this generation; undefined if it needs a snapshot. */
  sequenceIn(market: InstrumentFeed): number | undefined {
    const standing = this.#standings.get(market);
    return standing?.generation === market.generation ? standing.sequence : undefined;
  }

  /**
   * Sends what brings it to the market's last flush.
   *
   * @returns False if that has ended its connection.
   */
  bring(market: InstrumentFeed, frame: Uint8Array): boolean {
    const standing = this.#standings.get(market);
    if (standing === undefined || !this.send(frame)) return this.#isOpen;
    standing.generation = market.generation;
    standing.sequence = market.flushedSequence;
    standing.isNew = false;
    return true;
  }

  /** Lets the other markets come first the next time. */
  putLast(market: InstrumentFeed): void {
    const standing = this.#standings.get(market);
    if (standing === undefined) return;
    this.#standings.delete(market);
    this.#standings.set(market, standing);
  }

  /** Sends a frame, or ends the connection where that would be too much for it. */
  send(frame: Uint8Array): boolean {
    if (!this.#isOpen) return false;
    const { bufferedBytesMax } = this.#limits;
    const buffered = this.#sink.bufferedBytes;
    if (buffered + frame.length > bufferedBytesMax) {
      this.end(
        `too slow: ${buffered} bytes wait for you, and ${bufferedBytesMax} may with the next ` +
          `${frame.length}`,
      );
      return false;
    }
    this.#sink.send(frame);
    this.#counts.frames++;
    this.#counts.bytes += frame.length;
    return true;
  }

  /** Tells whether anything has left for it since the last call, or nothing waits for it. */
  hasProgress(): boolean {
    const buffered = this.#sink.bufferedBytes;
    const isStuck = buffered > this.#limits.lagBytes && buffered >= this.#bufferedBefore;
    this.#bufferedBefore = buffered;
    return !isStuck;
  }

  /** Ends its connection. */
  end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#sink.close(reason);
  }

  /** Its connection has ended by itself. */
  gone(): void {
    this.#isOpen = false;
  }
}
