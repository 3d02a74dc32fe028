// Market data that goes on from its checkpoint: where it begins, what the log keeps for it, and
// what it makes of checkpoints and logs that are damaged, cut, or gone.

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CorruptSnapshotError,
  EventCheckpoints,
  type EventState,
  FeedSource,
  MarketFeed,
  recoverFeed,
} from "../lib/exchange/mod.ts";
import {
  CorruptLogError,
  CorruptStoreError,
  openConsumer,
  removeConsumer,
  SequenceGapError,
} from "../mod.ts";
import { until } from "./fault/_support.ts";
import { Engine } from "./_market_data_service.ts";
import { TRADED, Trading } from "./_trading.ts";

const NAME = "market-data";

/** An engine that trades, with a log of small segments that is cut at once. */
class Venue extends Engine {
  readonly trading = new Trading(5, (event) => this.publish(event));
  readonly state = `${this.directory}/state`;

  constructor() {
    super({ hasLog: true, segmentBytes: "256KB", snapshotIntervalMs: 1 });
  }

  /** Trades until the log has been cut, while somebody is there who makes checkpoints. */
  async untilCut(desk: Desk): Promise<void> {
    for (let round = 0; this.channel.stats().log!.oldest === 1; round++) {
      assert(round < 1_000, "the log is cut in the end");
      this.trading.trade(200);
      await desk.upToDate();
      await desk.checkpoint();
    }
  }
}

/** A feed that is kept, and follows a venue. */
class Desk implements Disposable {
  readonly feed = new MarketFeed({ at: (id) => TRADED[id - 1], all: () => TRADED });
  readonly problems: Error[] = [];
  readonly #venue: Venue;
  readonly #checkpoints: EventCheckpoints;
  #source!: FeedSource;
  /** Last event that was in its checkpoint. */
  keptSequence = 0;

  private constructor(venue: Venue, state?: EventState) {
    this.#venue = venue;
    this.#checkpoints = new EventCheckpoints(venue.state, {
      ...{ stateId: "feed", state: state ?? this.feed, intervalMs: 0 },
      onFailure: (error) => void this.problems.push(error),
    });
  }

  /** Comes back, and takes all that there is. */
  static async open(venue: Venue, state?: EventState): Promise<Desk> {
    using stack = new DisposableStack();
    const desk = new Desk(venue, state);
    stack.use(desk.#checkpoints);
    const problem = (error: Error) => void desk.problems.push(error);
    const recovered = await recoverFeed(desk.#checkpoints, venue.channel, NAME, problem);
    desk.keptSequence = recovered.sequence;
    desk.#source = new FeedSource(recovered.consumer, {
      apply: (message) => desk.feed.applyEvent(message),
      onBatch: () => {},
    });
    await desk.#source.catchUp();
    void desk.#source.follow();
    stack.move();
    return desk;
  }

  /** Waits until it has all that there is. */
  async upToDate(): Promise<void> {
    await until("all is taken", () => this.feed.sequence === this.#venue.lastSequence);
  }

  /** Makes a checkpoint of now. */
  async checkpoint(): Promise<void> {
    await this.#checkpoints.finish();
  }

  /** Says what its venue's books are, too, if they are complete. */
  check(): void {
    assertEquals(this.feed.isComplete, true);
    for (const { instrument: { id }, bids, asks, tape, isComplete } of this.feed.markets) {
      const rows = (side: typeof bids) =>
        Array.from(
          { length: side.count },
          (_, at) => [`${side.price(at)}`, `${side.quantity(at)}`],
        );
      const { lastNumber: lastTrade } = tape;
      const found = { bids: rows(bids), asks: rows(asks), lastTrade };
      assertEquals<unknown>(found, this.#venue.trading.market(id));
      assertEquals(isComplete, true);
    }
  }

  /** Leaves as it is, as if it were killed. */
  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
    this.#checkpoints[Symbol.dispose]();
  }
}

/** Damages a whole store. */
function damage(venue: Venue, store: "a" | "b"): void {
  Deno.writeFileSync(`${venue.state}/${store}/data.mdb`, new Uint8Array(100_000).fill(0x5a));
}

Deno.test("recoverFeed() begins with all events, and then behind the checkpoint", async () => {
  using venue = new Venue();
  venue.trading.trade(500);
  {
    using desk = await Desk.open(venue);
    assertEquals([desk.keptSequence, desk.problems], [0, []]);
    desk.check();
    await desk.checkpoint();
  }
  const kept = venue.lastSequence;
  venue.trading.trade(300);
  using desk = await Desk.open(venue);
  assertEquals([desk.keptSequence, desk.feed.counts.events], [kept, venue.lastSequence - kept]);
  desk.check();
});

Deno.test("EventCheckpoints make the log keep what the older one needs, and no more", async () => {
  using venue = new Venue();
  {
    using desk = await Desk.open(venue);
    await venue.untilCut(desk);
    desk.check();
  }
  venue.trading.trade(100);
  {
    using desk = await Desk.open(venue);
    desk.check();
    assert(desk.keptSequence >= venue.channel.stats().log!.oldest);
  }
  for (const store of ["a", "b"] as const) { // One of them has the newest.
    {
      using desk = await Desk.open(venue);
      await desk.checkpoint();
      venue.trading.trade(10);
    }
    damage(venue, store);
    using desk = await Desk.open(venue);
    assert(desk.keptSequence > 0);
    assert(desk.problems[0] instanceof CorruptStoreError);
    desk.check();
    await desk.checkpoint();
  }
});

Deno.test("recoverFeed() without a sound checkpoint begins with what the log has", async () => {
  using venue = new Venue();
  venue.trading.trade(200);
  {
    using desk = await Desk.open(venue);
    await desk.checkpoint();
  }
  const damageAll = () => ["a", "b"].forEach((store) => damage(venue, store as "a" | "b"));
  damageAll();
  {
    using desk = await Desk.open(venue);
    assert(desk.problems[0] instanceof CorruptStoreError);
    assertEquals(desk.keptSequence, 0);
    desk.check(); // The log was whole.
    await venue.untilCut(desk);
  }
  damageAll();
  {
    using desk = await Desk.open(venue);
    assertEquals(Array.from(desk.feed.markets, (market) => market.isComplete), [false, false]);
    assertEquals([desk.feed.isComplete, desk.feed.sequence], [false, venue.lastSequence]);
    venue.trading.trade(10);
    await desk.upToDate();
    await desk.checkpoint();
  }
  using desk = await Desk.open(venue);
  assertEquals(desk.problems, []);
  assertEquals(desk.feed.isComplete, false, "a checkpoint does not make it whole");
});

Deno.test("recoverFeed() keeps books behind which events are gone, and says so", async () => {
  using venue = new Venue();
  venue.trading.trade(200);
  {
    using desk = await Desk.open(venue);
    await desk.checkpoint();
  }
  removeConsumer(venue.channel, NAME); // Nothing is kept for it any more.
  using other = openConsumer(venue.channel, { name: "other", onSlow: "spill" });
  await until("the log was cut", () => {
    venue.trading.trade(200);
    while (other.poll(() => {}) > 0);
    other.keep(venue.lastSequence); // Nothing is cut while nobody says what it needs.
    return venue.channel.stats().log!.oldest > 1;
  });
  using desk = await Desk.open(venue);
  assert(desk.problems[0] instanceof SequenceGapError);
  assertEquals([desk.feed.isComplete, desk.feed.sequence], [false, venue.lastSequence]);
});

Deno.test("recoverFeed() refuses a checkpoint of another version, and leaves it", async () => {
  using venue = new Venue();
  venue.trading.trade(10);
  {
    const image = () => [new Uint8Array(100)];
    using desk = await Desk.open(venue, { image, restore: () => {} });
    await desk.checkpoint();
  }
  for (let i = 0; i < 2; i++) {
    await assertRejects(() => Desk.open(venue), CorruptSnapshotError);
  }
});

Deno.test("recoverFeed() refuses a log that ends before the checkpoint", async () => {
  using venue = new Venue();
  venue.trading.trade(200);
  {
    using desk = await Desk.open(venue);
    await desk.checkpoint();
  }
  using other = new Venue();
  other.trading.trade(10);
  Deno.renameSync(venue.state, other.state);
  const error = await assertRejects(() => Desk.open(other), CorruptLogError);
  assertEquals(error.kind, "regressed");
});
