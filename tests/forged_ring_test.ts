// A member of a ring's group knows its salt, and may write whatever it likes: records that verify
// and words that fit them. Nobody hangs, is given a message that no producer can have sent, or
// writes a log that is damaged.

import { assertEquals, assertLess, assertStringIncludes, assertThrows } from "@std/assert";
import {
  BACK_PRESSURED,
  CorruptHeaderError,
  openConsumer,
  openProducer,
  verifyLog,
} from "../mod.ts";
import {
  CLAIM_LINE,
  crc32c,
  encodeRecord,
  mask,
  patchBytes,
  patchU64,
  PRODUCER_SLOTS,
  readShape,
  readU64,
} from "./_format.ts";
import { Logged, send } from "./_logged.ts";
import { encode, pattern, Scratch } from "./_support.ts";

const POSITION_END = 1n << 64n;

/** Writes a record that verifies at a position of a ring, whatever sequence that has. */
function forgeRecord(path: string, position: bigint, sequence: bigint): bigint {
  const { headerBytes, capacity, alignment, salt } = readShape(Deno.readFileSync(path));
  const record = encodeRecord({ sequence: 1, flags: 0, payload: pattern(21, 1) }, salt, alignment);
  const end = 16 + 21;
  const view = new DataView(record.buffer);
  view.setBigUint64(0, sequence, true);
  view.setUint32(end, mask(crc32c(record.subarray(0, end), salt)), true);
  patchBytes(path, headerBytes + Number(position & BigInt(capacity - 1)), record);
  return BigInt(record.length);
}

Deno.test("openProducer() refuses a ring whose producer was beyond every position", () => {
  using scratch = new Scratch();
  for (const claimed of [POSITION_END - 1n, POSITION_END - 64n, (1n << 62n) + 64n]) {
    using channel = scratch.create({ alignment: 64 });
    const path = channel.bufferFile;
    const last = (claimed & ~63n) - 64n;
    assertEquals(forgeRecord(path, last, 1n), 64n);
    patchU64(path, CLAIM_LINE.last, last);
    patchU64(path, CLAIM_LINE.position, claimed);
    assertThrows(() => openProducer(channel), CorruptHeaderError);
  }
});

Deno.test("openProducer() and openConsumer() refuse a sequence that no message has", () => {
  using scratch = new Scratch();
  for (const sequence of [1n << 53n, 1n << 63n, (1n << 64n) - 1n]) {
    using channel = scratch.create();
    const path = channel.bufferFile;
    const bytes = forgeRecord(path, 0n, sequence);
    patchU64(path, CLAIM_LINE.last, 0n);
    patchU64(path, CLAIM_LINE.position, bytes);
    patchU64(path, CLAIM_LINE.sequence, BigInt.asUintN(64, sequence + 1n));
    assertThrows(() => openProducer(channel), CorruptHeaderError);
    assertThrows(() => openConsumer(channel, { from: "earliest" }), CorruptHeaderError);
  }
});

Deno.test("Producer ends no claim of a dead one that begins where no record can", async () => {
  using scratch = new Scratch();
  const channel = scratch.create({ producers: "many", alignment: 64 });
  const path = channel.bufferFile;
  openConsumer(channel);
  const producer = openProducer(channel);
  while (producer.offer(pattern(21, 1)) > 0);
  const ring = Deno.readFileSync(path);
  const before = ring.subarray(readShape(ring).headerBytes);
  const slot = PRODUCER_SLOTS.offset + 10 * PRODUCER_SLOTS.size; // Nobody has ever had it.
  const intent = [
    readU64(path, CLAIM_LINE.sequence) + 5n,
    readU64(path, CLAIM_LINE.position) - 125n,
    64n,
    1n,
  ];
  patchBytes(path, slot, new Uint8Array(BigUint64Array.from(intent).buffer));
  // Longer than the library waits between two looks at who holds it back.
  for (const end = performance.now() + 5; performance.now() < end;) await Promise.resolve();
  assertEquals(producer.offer(pattern(21, 1)), BACK_PRESSURED);
  assertEquals(channel.history(), []);
  assertEquals(Deno.readFileSync(path).subarray(-before.length), before);
});

Deno.test("A log is sound where a peer has written behind what a checksum covers", async () => {
  using logged = new Logged();
  const options = { alignment: 64 };
  const first = logged.create(options);
  first.close(); // So that nobody writes the log meanwhile.
  {
    using channel = logged.open();
    openProducer(channel).offer(pattern(21, 1));
    const { headerBytes } = readShape(Deno.readFileSync(channel.bufferFile));
    patchBytes(channel.bufferFile, headerBytes + 60, Uint8Array.of(1));
  }
  send(openProducer(logged.create(options)), 1);
  assertEquals((await verifyLog(first.logDirectory!)).verdict, "whole");
});

Deno.test("A log does not write down a consumer whose name is no text", () => {
  using logged = new Logged();
  const channel = logged.create();
  const name = "the-consumer";
  openConsumer(channel, { name }).keep(1);
  const junk = new Uint8Array(name.length).fill(0xff);
  const ring = Deno.readFileSync(channel.bufferFile);
  patchBytes(channel.bufferFile, indexOf(ring, encode(name)), junk);
  send(openProducer(channel), 1);
  channel.close();
  assertEquals(indexOf(Deno.readFileSync(`${channel.logDirectory}/control`), junk), -1);
});

Deno.test("openChannel() takes no memory for a file with holes", () => {
  using scratch = new Scratch();
  scratch.create({ sizeBytes: "16MB" }).close();
  const path = scratch.path();
  const { size } = Deno.statSync(path);
  const { headerBytes } = readShape(Deno.readFileSync(path));
  for (const length of [headerBytes, size]) Deno.truncateSync(path, length);
  const { blocks } = Deno.statSync(path);
  const producer = openProducer(scratch.open({ prefault: true }));
  assertEquals(producer.offer(pattern(21, 1)), 1);
  assertLess(Deno.statSync(path).blocks! - blocks!, 2 * 1024 * 1024 / 512);
});

Deno.test("Errors that name a peer steer no terminal", () => {
  using scratch = new Scratch();
  const name = "\x1b]0;title\x07\x9b";
  const channel = scratch.create();
  const producer = openProducer(channel, { name });
  openConsumer(channel, { name });
  while (producer.offer(pattern(21, 1)) > 0);
  const attempts = [
    () => openProducer(channel),
    () => openConsumer(scratch.open(), { name }),
    () => producer.write(pattern(21, 1), { timeoutMs: 0 }),
  ];
  for (const attempt of attempts) {
    const { message } = assertThrows(attempt, Error);
    assertStringIncludes(message, "\\u001b]0;title\\u0007\\u009b");
    assertEquals(/\p{Cc}/u.test(message), false, message);
  }
});

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  const toText = new TextDecoder("latin1");
  return toText.decode(bytes).indexOf(toText.decode(wanted));
}
