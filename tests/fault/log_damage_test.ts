// Damage to the files of a log, byte by byte, sector by sector and file by file: verifying finds
// all of it and tells a torn tail from corruption, and opening never loses a message in silence.

import { assert, assertEquals } from "@std/assert";
import {
  CorruptLogError,
  createChannel,
  type LogVerification,
  openConsumer,
  verifyLog,
} from "../../mod.ts";
import { SEGMENT_BYTES, TestLog, textOf } from "../_log.ts";
import { IS_LONG, note, Random, seedOf } from "./_support.ts";

/** Messages that fill more than three segments, and those before the first of two closings. */
const COUNT = 8_500;
const COUNT_BEFORE = 4_000;

const CONTROL = "control";
const HEADER_BYTES = 4096;
const SECTOR_BYTES = 512;

type Files = Map<string, Uint8Array<ArrayBuffer>>;

/** A log of two sessions, its files, and where they end. */
class Subject implements Disposable {
  readonly log = new TestLog(COUNT_BEFORE);
  /** As the first session left it. */
  readonly before: Files = this.log.copy();
  readonly files: Files;
  readonly segments: string[];

  constructor() {
    this.log.append(COUNT_BEFORE + 1, COUNT);
    this.files = this.log.copy();
    this.segments = this.log.segments();
    assert(this.segments.length >= 4, `${this.segments.length} segments`);
  }

  get newest(): string {
    return this.segments.at(-1)!;
  }

  /** Bytes up to the last one that is not zero. */
  usedBytes(name: string): number {
    return this.files.get(name)!.findLastIndex((byte) => byte !== 0) + 1;
  }

  /** Where its last group ends. */
  endOf(name: string): number {
    return Math.ceil(this.usedBytes(name) / SECTOR_BYTES) * SECTOR_BYTES;
  }

  /** A place behind the last group: how many there are depends on how the messages were grouped. */
  tail(random: Random): [name: string, offset: number] {
    const end = this.endOf(this.newest);
    return [this.newest, end + random.below(SEGMENT_BYTES - end)];
  }

  async verify(): Promise<LogVerification> {
    return await verifyLog(this.log.directory);
  }

  [Symbol.dispose](): void {
    this.log[Symbol.dispose]();
  }
}

/** How damage shows: the verdict, or that one slot of the control file is bad. */
function classOf({ verdict, findings }: LogVerification): string {
  return verdict === "whole" && findings.length > 0 ? findings[0]!.kind : verdict;
}

/** What a change at that place has to be found as. */
function expectedClass(subject: Subject, name: string, offset: number): string {
  if (name === CONTROL) return "control-slot";
  return name === subject.newest && offset >= subject.endOf(name) ? "torn" : "corrupt";
}

/**
 * Opens the log with a new ring, reads all of it, and makes it as it was before. `refused` is
 * corruption that opening has found, `told` such that reading has. Messages before are all right.
 */
function open({ log, files }: Subject, damaged?: Files): string {
  log.loseRing();
  let received = 0;
  try {
    using channel = createChannel(log.channel, { ...log.options, prefault: false });
    const { verdict } = channel.recovered!;
    const consumer = openConsumer(channel, { from: "earliest" });
    while (
      consumer.poll(({ sequence, text }) => {
        assertEquals([sequence, text], [++received, textOf(sequence)]);
      }) > 0
    );
    assertEquals(received, COUNT, "messages lost in silence");
    return verdict;
  } catch (error) {
    if (!(error instanceof CorruptLogError)) throw error;
    if (damaged !== undefined) assertEquals(log.changedSince(damaged), []);
    return received > 0 ? "told" : "refused";
  } finally {
    log.restore(files);
  }
}

/** Offsets to flip: all of a range, or some of it. */
function sample(random: Random, begin: number, end: number, count: number): number[] {
  if (IS_LONG || end - begin <= count) {
    return Array.from({ length: end - begin }, (_, i) => begin + i);
  }
  return Array.from({ length: count }, () => begin + random.below(end - begin));
}

Deno.test("Every flipped byte of a log is found, and is found for what it is", async () => {
  using subject = new Subject();
  const seed = seedOf(5);
  const random = new Random(seed);
  const { log, segments, newest } = subject;
  const controlBytes = subject.files.get(CONTROL)!.length;
  const places: [string, number][] = sample(random, 0, controlBytes, 300)
    .map((offset) => [CONTROL, offset]);
  for (const name of segments) {
    const end = name === newest ? subject.endOf(name) : SEGMENT_BYTES;
    places.push(
      ...sample(random, 0, HEADER_BYTES, 100).map((at): [string, number] => [name, at]),
      ...sample(random, HEADER_BYTES, end, 600).map((at): [string, number] => [name, at]),
    );
  }
  for (let count = 0; count < 200; count++) places.push(subject.tail(random));
  let [lostAtMost, found] = [0, 0];
  for (const [name, offset] of places) {
    const bits = 1 + random.below(255);
    log.flip(name, offset, bits);
    const verification = await subject.verify();
    log.flip(name, offset, bits);
    const expected = expectedClass(subject, name, offset);
    const where = `${name} at ${offset} by ${bits}, seed ${seed}`;
    assertEquals(classOf(verification), expected, where);
    found++;
    for (const { expectedSequence, nextSequence } of verification.findings) {
      lostAtMost = Math.max(lostAtMost, nextSequence - expectedSequence);
    }
  }
  assertEquals(lostAtMost, 1, "messages lost by one byte");
  assertEquals(classOf(await subject.verify()), "whole");
  note("Bytes of a log flipped one at a time, all found", found);
});

Deno.test("Opening a log with a flipped byte refuses it, tells of it, or has everything", () => {
  using subject = new Subject();
  const seed = seedOf(6);
  const random = new Random(seed);
  const { log, segments, newest } = subject;
  const rounds = IS_LONG ? 20_000 : 120;
  const anywhere = (): [name: string, offset: number] => {
    const name = [CONTROL, newest, ...segments][random.below(segments.length + 2)]!;
    const isHeader = random.below(4) === 0;
    return [name, random.below(isHeader ? HEADER_BYTES : subject.files.get(name)!.length)];
  };
  const seen: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    const [name, offset] = round % 8 === 0 ? subject.tail(random) : anywhere();
    log.flip(name, offset, 1 + random.below(255));
    const how = open(subject);
    const expected = expectedClass(subject, name, offset);
    const allowed = expected === "control-slot"
      ? ["whole"]
      : expected === "torn"
      ? ["torn"]
      : name === newest || offset < HEADER_BYTES
      ? ["refused"]
      : name === segments[0]
      ? ["told", "refused"] // Perhaps before the first message.
      : ["told"];
    assert(allowed.includes(how), `${how}: ${name} at ${offset}, seed ${seed}`);
    seen[how] = (seen[how] ?? 0) + 1;
  }
  assertEquals(Object.keys(seen).sort(), ["refused", "told", "torn", "whole"]);
  note("Logs with a flipped byte opened, none lost in silence", rounds);
});

Deno.test("A log file cut off, lengthened or emptied is found, and refused", async () => {
  using subject = new Subject();
  const random = new Random(seedOf(7));
  const { log, segments } = subject;
  let found = 0;
  for (const name of segments) {
    const end = subject.endOf(name);
    const near = [0, 1, 511, 4095, 4096, 4097, 4160, end - 1, end, end + 1, SEGMENT_BYTES - 1];
    const cuts = [...near, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES];
    for (let count = IS_LONG ? 1000 : 20; count > 0; count--) {
      cuts.push(random.below(SEGMENT_BYTES));
    }
    for (const size of cuts.filter((size) => size !== SEGMENT_BYTES)) {
      Deno.truncateSync(log.path(name), size);
      const where = `${name} of ${size} bytes`;
      assertEquals(classOf(await subject.verify()), "corrupt", where);
      assertEquals(open(subject, log.copy()), "refused", where);
      found++;
    }
  }
  for (const size of [0, 1, 4096, 12 * 1024 - 1, 12 * 1024, 24 * 1024 - 1]) {
    Deno.truncateSync(log.path(CONTROL), size);
    const expected = size < 12 * 1024 ? "corrupt" : "control-slot";
    assertEquals(classOf(await subject.verify()), expected, `control file of ${size} bytes`);
    assertEquals(open(subject), size < 12 * 1024 ? "refused" : "whole");
    found++;
  }
  note("Log files cut off or lengthened, all found", found);
});

Deno.test("A sector of zeros or garbage is found, and is found for what it is", async () => {
  using subject = new Subject();
  const seed = seedOf(8);
  const random = new Random(seed);
  const { log, segments, files } = subject;
  let found = 0;
  for (const name of [CONTROL, ...segments]) {
    const bytes = files.get(name)!;
    const sectors = bytes.length / SECTOR_BYTES;
    const chosen = IS_LONG
      ? Array.from({ length: sectors }, (_, i) => i)
      : Array.from({ length: 150 }, () => random.below(sectors));
    for (const sector of chosen) {
      const offset = sector * SECTOR_BYTES;
      const old = bytes.subarray(offset, offset + SECTOR_BYTES);
      const garbage = Uint8Array.from({ length: SECTOR_BYTES }, () => random.below(256));
      for (const content of [new Uint8Array(SECTOR_BYTES), garbage]) {
        if (old.every((byte, i) => byte === content[i])) continue;
        log.write(name, offset, content);
        const expected = expectedClass(subject, name, offset);
        const where = `${name} at ${offset}, seed ${seed}`;
        assertEquals(classOf(await subject.verify()), expected, where);
        log.write(name, offset, old);
        found++;
      }
    }
  }
  assertEquals(classOf(await subject.verify()), "whole");
  note("Sectors of a log zeroed or filled with garbage, all found", found);
});

/** Changes to the files of a log as wholes. */
function surgeries(subject: Subject, foreign: Files): [string, () => void][] {
  const { log, segments, before } = subject;
  const rename = (from: string, to: string) => Deno.renameSync(log.path(from), log.path(to));
  const renumber = (name: string, number: number, first = log.firstOf(name)) =>
    `${number.toString(16).padStart(8, "0")}-${`${first}`.padStart(20, "0")}.wal`;
  const list: [string, () => void][] = [
    ["no control file", () => Deno.removeSync(log.path(CONTROL))],
    ["no segments", () => segments.forEach((name) => Deno.removeSync(log.path(name)))],
    ["control file of another log", () => {
      Deno.writeFileSync(log.path(CONTROL), foreign.get(CONTROL)!);
    }],
    ["a segment as it was before", () => {
      const name = [...before.keys()].filter((name) => name.endsWith(".wal")).sort().at(-1)!;
      Deno.writeFileSync(log.path(name), before.get(name)!);
    }],
  ];
  for (const [index, name] of segments.entries()) {
    const next = segments[(index + 1) % segments.length]!;
    const others = [...foreign].find(([key]) => key.startsWith(name.slice(0, 8)));
    list.push(
      [`${name} missing`, () => Deno.removeSync(log.path(name))],
      [`${name} swapped with ${next}`, () => {
        rename(name, "swap");
        rename(next, name);
        rename("swap", next);
      }],
      [`${name} copied over ${next}`, () => Deno.copyFileSync(log.path(name), log.path(next))],
      [`${name} under another number`, () => rename(name, renumber(name, 77))],
      [`${name} with another first sequence`, () => {
        rename(name, renumber(name, index + 1, log.firstOf(name) + 1));
      }],
      [`${name} under no segment's name`, () => rename(name, `${name}.old`)],
      [`${name} is a directory`, () => {
        Deno.removeSync(log.path(name));
        Deno.mkdirSync(log.path(name));
      }],
    );
    if (others === undefined) continue;
    list.push([`${name} of another log`, () => {
      Deno.writeFileSync(log.path(name), others[1]);
    }]);
  }
  return list;
}

Deno.test("A missing, swapped, foreign or renamed log file is found, and refused", async () => {
  using subject = new Subject();
  using other = new TestLog(COUNT);
  const cases = surgeries(subject, other.copy());
  for (const [what, cut] of cases) {
    cut();
    const { verdict, findings } = await subject.verify();
    assertEquals(verdict, "corrupt", what);
    assert(findings.length > 0, what);
    const how = tryOpen(subject);
    assert(how === "refused" || what.includes("as it was before") && how === "told", what);
  }
  assertEquals(classOf(await subject.verify()), "whole");
  note("Files of a log missing, swapped, foreign or renamed, all found", cases.length);
});

/** Opens it; a directory in a segment's place is refused by an error of its own. */
function tryOpen(subject: Subject): string {
  try {
    return open(subject);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    return "refused";
  }
}
