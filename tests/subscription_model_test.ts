// Random lives of a consumer, compared with a model: sending, polling, throwing, acknowledging,
// opening again, losing the ring.

import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { type Consumer, openConsumer, openProducer } from "../mod.ts";
import { Logged } from "./_logged.ts";
import { pattern } from "./_support.ts";

/** One step of a consumer's life. */
type Step =
  | { does: "send"; count: number; length: number }
  | { does: "poll"; limit: number; throwAt: number }
  | { does: "ack"; share: number }
  | { does: "reopen" }
  | { does: "reboot" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: sends({ maxCount: 400, maxLength: 300 }) },
  { weight: 1, arbitrary: sends({ maxCount: 3, maxLength: 30_000 }) },
  {
    weight: 8,
    arbitrary: fc.record({
      does: fc.constant("poll" as const),
      limit: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 }), fc.constant(100_000)),
      throwAt: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 200 })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("ack" as const), share: fc.float() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("reopen" as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("reboot" as const) }) },
);

function sends({ maxCount, maxLength }: { maxCount: number; maxLength: number }) {
  return fc.record({
    does: fc.constant("send" as const),
    count: fc.integer({ min: 1, max: maxCount }),
    length: fc.integer({ min: 0, max: maxLength }),
  });
}

/** A consumer with what it has to be given: messages by their sequence, in order. */
class Subscription {
  readonly logged = new Logged();
  readonly sent: { sequence: number; length: number }[] = [];
  /** Places in `sent` of the next message, and of the first one that is not acknowledged. */
  next = 0;
  acked = 0;
  channel = this.logged.create();
  producer = openProducer(this.channel);
  consumer: Consumer;

  constructor(readonly onSlow: "block" | "spill", readonly ack: "auto" | "manual") {
    this.consumer = this.open();
  }

  open(): Consumer {
    return openConsumer(this.channel, { name: "model", onSlow: this.onSlow, ack: this.ack });
  }

  run(step: Step): void {
    switch (step.does) {
      case "send":
        return this.send(step.count, step.length);
      case "poll":
        return this.poll(step.limit, step.throwAt);
      case "ack":
        if (this.ack === "manual") this.acknowledge(step.share);
        return;
      case "reopen":
        this.consumer.close();
        this.consumer = this.open();
        this.next = this.acked;
        return;
      case "reboot":
        return this.reboot();
    }
  }

  send(count: number, length: number): void {
    let last = 0;
    for (let i = 0; i < count; i++) {
      const sequence = this.producer.offer(pattern(length, this.sent.length));
      if (sequence < 0 && this.onSlow === "block") break;
      last = sequence > 0 ? sequence : this.producer.write(pattern(length, this.sent.length));
      this.sent.push({ sequence: last, length });
    }
    if (last > 0) this.producer.waitDurable(last);
  }

  poll(limit: number, throwAt: number): void {
    let count = 0;
    let hasThrown = false;
    const from = this.next;
    try {
      const delivered = this.consumer.poll(({ sequence, payload }) => {
        const { sequence: expected, length } = this.sent[this.next]!;
        assertEquals(sequence, expected);
        assertEquals(payload, pattern(length, this.next));
        if (count === throwAt) throw new Stop();
        this.next++;
        count++;
      }, limit);
      assertEquals(delivered, count);
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
      hasThrown = true;
    }
    assert(count <= limit);
    if (count === 0 && !hasThrown) assertEquals(from, this.sent.length, "nothing may be missing");
    if (this.ack === "auto") this.acked = this.next;
  }

  acknowledge(share: number): void {
    const count = Math.floor((this.next - this.acked) * (Math.abs(share) % 1));
    if (!(count > 0)) return;
    this.acked += count;
    const { sequence } = this.sent[this.acked - 1]!;
    this.consumer.ack(sequence);
    assertEquals(this.consumer.cursor, sequence);
  }

  /** The ring is lost; closing has written the cursors down. */
  reboot(): void {
    this.channel.close();
    this.channel = this.logged.remakeRing();
    this.producer = openProducer(this.channel);
    this.consumer = this.open();
    this.next = this.acked;
  }

  finish(): void {
    while (this.next < this.sent.length) this.poll(100, -1);
    this.poll(100, -1);
  }
}

class Stop extends Error {}

for (const onSlow of ["block", "spill"] as const) {
  for (const ack of ["auto", "manual"] as const) {
    Deno.test(`Consumer is given what a model says, whatever it does (${onSlow}, ${ack})`, () => {
      const property = fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const subscription = new Subscription(onSlow, ack);
        using _logged = subscription.logged;
        for (const step of steps) subscription.run(step);
        subscription.finish();
      });
      fc.assert(property, { numRuns: 25, seed: Number(Deno.env.get("MT_SEED") ?? 20_241) });
    });
  }
}
