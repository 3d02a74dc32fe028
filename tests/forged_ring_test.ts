// A member of a ring's group knows its salt, and may write whatever it likes: records that verify
// and words that fit them. Nobody hangs, or is given a message that no producer can have sent.

import { assertEquals, assertThrows } from "@std/assert";
import { BACK_PRESSURED, CorruptHeaderError, openConsumer, openProducer } from "../mod.ts";
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
import { pattern, Scratch } from "./_support.ts";

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
