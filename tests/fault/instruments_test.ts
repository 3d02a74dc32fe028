// Instruments survive kill -9 at any step, and several processes never give an id twice.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { openInstruments } from "../../lib/market/instruments.ts";
import { Child, IS_LONG, note, Random, seedOf, TestDirectory, testUnless } from "./_support.ts";
import { cutShort, straceObstacle, strike, survey, type Trace } from "./_trace.ts";

const obstacle = await straceObstacle();
const SCALES = { priceDecimals: 2, quantityDecimals: 8 };

/** A directory for the children, and one beside it for the log of system calls. */
class Places extends TestDirectory {
  readonly files = `${this.path}/files`;
  readonly log = `${this.path}/strace.log`;

  constructor() {
    super();
    Deno.mkdirSync(this.files);
  }

  get instruments(): string {
    return `${this.files}/instruments`;
  }
}

function start(places: Places, name: string, count: number, trace?: Omit<Trace, "log">): Child {
  const traced = trace === undefined ? {} : { trace: { log: places.log, ...trace } };
  return new Child("instruments", { name, count }, { directory: places.files, ...traced });
}

/** What a child has acknowledged until it died, as `<symbol> <id> <price decimals>`. */
async function acksOf(child: Child): Promise<string[]> {
  const acks: string[] = [];
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    if (line !== "end") acks.push(line);
  }
  return acks;
}

/** What the file has, in the same words. */
function linesOf(places: Places): string[] {
  return openInstruments(places.instruments).all()
    .map(({ symbol, id, priceDecimals }) => `${symbol} ${id} ${priceDecimals}`);
}

testUnless(obstacle, "Death before any system call of intern() loses nothing", async () => {
  const prepared = () => {
    const places = new Places();
    openInstruments(places.instruments).intern("first", SCALES);
    return places;
  };
  using surveyed = prepared();
  await using whole = start(surveyed, "own", 2, {});
  await whole.succeeded();
  const { points, unreachable } = survey(Deno.readTextFileSync(surveyed.log), surveyed.files);
  assertEquals(unreachable, []);
  for (const call of ["openat", "write", "fsync", "rename"]) {
    assertGreater(points.filter((point) => point.call === call).length, 3, call);
  }
  for (const point of points) {
    using places = prepared();
    const trace = strike(point, { directory: places.files, log: places.log });
    await using child = start(places, "own", 2, trace);
    const acks = await acksOf(child);
    assertEquals((await child.ended()).signal, "SIGKILL", point.text);
    assertEquals(cutShort(Deno.readTextFileSync(places.log), places.files), [point.text]);
    const found = linesOf(places);
    assertEquals(found.slice(0, 1 + acks.length), ["first 1 2", ...acks], point.text);
    const next = openInstruments(places.instruments).intern("next", SCALES);
    assertEquals(next.id, found.length + 1, "nothing is in the way of whoever comes next");
  }
  note("instruments: points of death", points.length);
});

Deno.test("Processes that add instruments at once agree on every id", async () => {
  using places = new Places();
  const names = ["a", "b", "c", "d"];
  const children = names.map((name) => start(places, name, 15));
  const acks = await Promise.all(children.map(acksOf));
  for (const child of children) await child.succeeded();
  const found = linesOf(places);
  assertEquals(found.length, names.length * 15 + 15);
  assertEquals(found.map((line) => Number(line.split(" ")[1])), found.map((_, index) => index + 1));
  for (const [index, lines] of acks.entries()) {
    assertEquals(lines.length, 30, names[index]);
    for (const line of lines) assert(found.includes(line), line);
  }
});

Deno.test("Processes that are killed at random lose no instrument that they had", async () => {
  using places = new Places();
  const seed = seedOf(20_240_808);
  const random = new Random(seed);
  const acked = new Set<string>();
  const rounds = IS_LONG ? 200 : 6;
  for (let round = 0; round < rounds; round++) {
    const children = [0, 1, 2].map((index) => start(places, `r${round}c${index}`, 1_000_000));
    await Promise.all(children.map(async (child) => {
      for (let left = random.below(20); left >= 0; left--) {
        const line = await child.line();
        if (line !== undefined) acked.add(line);
      }
      child.kill();
      for (const line of await acksOf(child)) acked.add(line);
      assertEquals((await child.ended()).signal, "SIGKILL");
    }));
    const found = new Set(linesOf(places));
    for (const line of acked) assert(found.has(line), `seed ${seed}, round ${round}: ${line}`);
  }
  note("instruments: acknowledged by processes that were killed", acked.size);
});
