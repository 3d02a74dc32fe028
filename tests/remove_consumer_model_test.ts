// Random lives of consumers of two names, compared with a model: opening, polling, keeping, closing
// and removing, while somebody writes the log or nobody, and while the ring is lost.

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { type Channel, type Consumer, openConsumer, openProducer, removeConsumer } from "../mod.ts";
import { Logged, send } from "./_logged.ts";

const NAMES = ["one", "two"] as const;

type Name = typeof NAMES[number];

/** One step of their lives. */
type Step =
  | { does: "open" | "close" | "remove" | "keep"; name: Name }
  | { does: "poll"; name: Name; limit: number }
  | { does: "send" }
  | { does: "restart"; persister: "inside" | "outside"; losesRing: boolean };

const name = fc.constantFrom(...NAMES);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constantFrom("open" as const, "close" as const, "keep" as const),
      name,
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("remove" as const), name }) },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant("poll" as const),
      name,
      limit: fc.integer({ min: 1, max: 400 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("send" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant("restart" as const),
      persister: fc.constantFrom("inside" as const, "outside" as const),
      losesRing: fc.boolean(),
    }),
  },
);

/** What is known of a name: nothing, or what it has finished and needs. */
type Known = { cursor: number; keep: number } | undefined;

/** Consumers with what has to be true of them. */
class World {
  readonly logged = new Logged();
  readonly open: Partial<Record<Name, Consumer>> = {};
  /** What ring and log say together, and what the log alone says. */
  readonly known: Partial<Record<Name, Known>> = {};
  readonly recorded: Partial<Record<Name, Known>> = {};
  persister: "inside" | "outside" = "inside";
  channel: Channel = this.logged.create();
  /** As another process has it. */
  other: Channel = this.logged.open();
  last = 0;

  run(step: Step): void {
    switch (step.does) {
      case "open":
        return this.openOne(step.name);
      case "close":
        this.open[step.name]?.close();
        return void delete this.open[step.name];
      case "remove":
        return this.remove(step.name);
      case "keep":
        return this.keep(step.name);
      case "poll":
        return this.poll(step.name, step.limit);
      case "send":
        return this.send();
      case "restart":
        return this.restart(step.persister, step.losesRing);
    }
  }

  send(): void {
    if (this.persister === "outside") return; // Nobody would make room.
    using producer = openProducer(this.other);
    this.last = send(producer, 300, 400);
  }

  openOne(name: Name): void {
    if (this.open[name] !== undefined) {
      assertThrows(() => openConsumer(this.other, { name }), Deno.errors.Busy);
      return;
    }
    const from = this.oldest;
    const consumer = openConsumer(this.channel, { name, onSlow: "spill" });
    const known = this.known[name];
    if (known === undefined) assert(consumer.cursor >= from - 1 && consumer.cursor < this.oldest);
    else assertEquals(consumer.cursor, known.cursor, `of ${name}`);
    this.open[name] = consumer;
    this.known[name] = { keep: 0, ...known, cursor: consumer.cursor };
  }

  remove(name: Name): void {
    const isOpen = this.open[name] !== undefined;
    const isKnown = this.known[name] !== undefined;
    const refusal = isOpen ? Deno.errors.Busy : isKnown ? undefined : Deno.errors.NotFound;
    if (refusal === undefined) removeConsumer(this.other, name);
    else assertThrows(() => removeConsumer(this.other, name), refusal);
    if (isOpen) return;
    delete this.known[name];
    delete this.recorded[name];
  }

  keep(name: Name): void {
    const consumer = this.open[name];
    if (consumer === undefined) return;
    const keep = Math.max(1, consumer.cursor, this.known[name]!.keep);
    consumer.keep(keep);
    this.known[name]!.keep = keep;
  }

  /** Polls, and gets what comes next and nothing else. */
  poll(name: Name, limit: number): void {
    const consumer = this.open[name];
    if (consumer === undefined) return;
    let next = consumer.cursor + 1;
    const count = consumer.poll(({ sequence }) => assertEquals(sequence, next++), limit);
    assert(count > 0 || consumer.cursor === this.last, `${name} got nothing at ${next}`);
    assertEquals(consumer.cursor, next - 1);
    this.known[name]!.cursor = consumer.cursor;
  }

  get oldest(): number {
    return Math.max(1, this.channel.stats().log!.oldest);
  }

  /** Nothing is cut that somebody needs. */
  check(): void {
    const needs = Object.values(this.known).map((known) => {
      return known!.keep === 0 ? known!.cursor + 1 : Math.min(known!.keep, known!.cursor + 1);
    });
    assert(this.oldest <= Math.min(this.last + 1, ...needs), `${this.oldest} of ${needs}`);
  }

  /** All processes end; those that wrote the log have written down who needs what. */
  restart(persister: "inside" | "outside", losesRing: boolean): void {
    for (const name of NAMES) delete this.open[name];
    this.other.close();
    this.channel.close();
    for (const name of NAMES) {
      if (this.persister === "inside") this.recorded[name] = this.known[name];
      if (losesRing) this.known[name] = this.recorded[name] && { ...this.recorded[name] };
      if (this.known[name] === undefined) delete this.known[name];
    }
    this.persister = persister;
    this.channel = losesRing
      ? this.logged.remakeRing({ persister })
      : this.logged.create({ persister });
    this.other = this.logged.open();
  }

  finish(): void {
    this.restart("inside", false);
    for (const name of NAMES) {
      this.openOne(name);
      while (this.open[name]!.cursor < this.last) this.poll(name, 1000);
    }
    this.check();
  }
}

Deno.test("Consumers that are removed and come back are what a model says", () => {
  const property = fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
    const world = new World();
    using _logged = world.logged;
    for (const step of steps) {
      world.run(step);
      world.check();
    }
    world.finish();
  });
  fc.assert(property, { numRuns: 40, seed: Number(Deno.env.get("MT_SEED") ?? 20_247) });
});
