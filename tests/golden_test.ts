// The bytes of records: what Zig writes, what tests/testdata/record-v1.hex says and what this
// folder's own reader (_format.ts) makes of docs/format.md are one.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { MESSAGE_FLAGS, openConsumer, openObserver, openProducer } from "../mod.ts";
import { CORRUPT_RECORD } from "../lib/native/_layout.ts";
import { native } from "../lib/native/library.ts";
import {
  crc32c,
  decodeRecord,
  decodeRing,
  encodeRecord,
  FLAGS,
  forgeIdentity,
  IDENTITY,
  mask,
  patchBytes,
  readShape,
} from "./_format.ts";
import { encode, pattern, Scratch } from "./_support.ts";

const hex = Deno.readTextFileSync(new URL("testdata/record-v1.hex", import.meta.url)).trim();
const GOLDEN = Uint8Array.from(hex.match(/../g)!, (digits) => parseInt(digits, 16));

/** Bytes of the record that the native side finds sound there, or a status. */
function verifyNatively(bytes: Uint8Array<ArrayBuffer>, salt: number, sequence: number): number {
  return native().mt_record_verify(bytes, bytes.length, salt, sequence);
}

Deno.test("crc32c has the check values of RFC 3720", () => {
  const vectors: [Uint8Array<ArrayBuffer>, number][] = [
    [encode("123456789"), 0xe3069283],
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ];
  for (const [bytes, expected] of vectors) {
    assertEquals(crc32c(bytes), expected);
    assertEquals(native().mt_crc32c(bytes, bytes.length), expected);
  }
  for (let length = 0; length < 300; length++) {
    const bytes = pattern(length, length);
    assertEquals(native().mt_crc32c(bytes, length), crc32c(bytes), `${length} bytes`);
  }
});

Deno.test("record-v1.hex is the record that it is said to be", () => {
  const record = { sequence: 1, flags: MESSAGE_FLAGS.user, payload: encode("hello") };
  assertEquals(encodeRecord(record, 0), GOLDEN);
  assertEquals(decodeRecord(GOLDEN, 0), record);
  assertEquals(verifyNatively(GOLDEN, 0, 1), GOLDEN.length);
});

Deno.test("Producer.offer() writes record-v1.hex into a ring of salt 0", () => {
  using scratch = new Scratch();
  scratch.create({ alignment: 8 }).close();
  const path = scratch.path();
  forgeIdentity(path, (view) => view.setUint32(IDENTITY.salt, 0, true)); // Random otherwise.
  const channel = scratch.open();
  assertEquals(openProducer(channel).offer(encode("hello"), MESSAGE_FLAGS.user), 1);
  const { headerBytes } = readShape(Deno.readFileSync(path));
  const written = Deno.readFileSync(path).subarray(headerBytes, headerBytes + GOLDEN.length);
  assertEquals(written, GOLDEN);
});

Deno.test("Consumer.poll() reads record-v1.hex, written by hand", () => {
  using scratch = new Scratch();
  scratch.create({ alignment: 8, producers: "many" }).close();
  const path = scratch.path();
  forgeIdentity(path, (view) => view.setUint32(IDENTITY.salt, 0, true));
  const channel = scratch.open();
  const consumer = openConsumer(channel);
  patchBytes(path, readShape(Deno.readFileSync(path)).headerBytes, GOLDEN);
  const seen: unknown[] = [];
  consumer.poll(({ sequence, flags, text }) => void seen.push(sequence, flags, text));
  assertEquals(seen, [1, MESSAGE_FLAGS.user, "hello"]);
});

Deno.test("decodeRecord() and the native side refuse every flipped bit and truncation", () => {
  const record = { sequence: 7, flags: 0, payload: pattern(21, 3) };
  for (const salt of [0, 0x12345678]) {
    const sound = encodeRecord(record, salt);
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const copy = sound.slice();
      copy[bit >> 3]! ^= 1 << (bit & 7);
      assertEquals(verifyNatively(copy, salt, 7), CORRUPT_RECORD, `bit ${bit}`);
      assertEquals(decodeRecord(copy, salt), undefined, `bit ${bit}`);
    }
    for (let length = 0; length < sound.length; length++) {
      const part = sound.slice(0, length);
      assertEquals(verifyNatively(part, salt, 7), CORRUPT_RECORD, `${length} bytes`);
      assertEquals(decodeRecord(part, salt), undefined, `${length} bytes`);
    }
    assertEquals(verifyNatively(sound, salt, 8), CORRUPT_RECORD, "another sequence's place");
    assertEquals(verifyNatively(sound, salt + 1, 7), CORRUPT_RECORD, "another ring's salt");
    assertEquals(decodeRecord(sound, salt + 1), undefined);
    assertEquals(verifyNatively(sound, salt, 7), sound.length);
  }
});

Deno.test("encodeRecord() writes what the native side finds sound", () => {
  for (let length = 0; length < 200; length++) {
    const record = {
      sequence: 2 ** 40 + length,
      flags: length & 0xef,
      payload: pattern(length, 1),
    };
    const salt = Math.imul(length, 2654435761) >>> 0;
    const bytes = encodeRecord(record, salt, 64);
    assertEquals(verifyNatively(bytes, salt, record.sequence), Math.ceil((20 + length) / 8) * 8);
  }
});

for (const alignment of [8, 64, 512]) {
  for (const producers of ["single", "many"] as const) {
    Deno.test(`A ring file's records are as documented (${producers}, ${alignment})`, () => {
      using scratch = new Scratch();
      const options = { alignment, producers, sizeBytes: 65536, timestamps: alignment === 8 };
      const channel = scratch.create(options);
      const producer = openProducer(channel);
      const sent = writeAllKinds(producer.maxRecordBytes, producer);
      const file = Deno.readFileSync(scratch.path());
      const { salt, headerBytes } = readShape(file);
      const records = decodeRing(file);
      assertEquals(records.map(({ sequence }) => sequence), records.map((_, i) => i + 1));
      assertEquals(records.length, channel.stats().nextSequence - 1);

      const visible = records.filter(({ flags }) => (flags & FLAGS.aborted) === 0);
      assertEquals(records.length - visible.length, 2);
      const stampBytes = options.timestamps ? 8 : 0;
      for (const { flags, payload } of visible) {
        assertEquals((flags & FLAGS.timestamped) !== 0, options.timestamps);
        assert(payload.length >= stampBytes);
      }
      const bodies = visible.map(({ payload }) => payload.subarray(stampBytes));
      assertEquals(concat(bodies), concat(sent));
      const parts = visible.map(({ flags }) => flags & (FLAGS.firstFragment | FLAGS.lastFragment));
      assertEquals(parts, [...new Array(bodies.length - 3).fill(0), 4, 12, 8]);

      // Byte for byte: what the two encoders write, up to the alignment's zeros.
      const again = concat(records.map((record) => encodeRecord(record, salt, alignment)));
      assertEquals(file.subarray(headerBytes, headerBytes + again.length), again);
      assertEquals(channel.stats().claimed, again.length);
      const payloads: Uint8Array[] = [];
      const observer = openObserver(channel, { from: "earliest" });
      while (observer.poll(({ payload }) => void payloads.push(payload.slice())) > 0);
      assertEquals(payloads, sent);
    });
  }
}

type Sender = ReturnType<typeof openProducer>;

/** Sends by every call that there is; two claims are aborted. Returns the messages. */
function writeAllKinds(maxRecordBytes: number, producer: Sender): Uint8Array[] {
  const sent: Uint8Array[] = [];
  for (const length of [0, 1, 3, 4, 5, 28, 44, 45, 100, maxRecordBytes]) {
    sent.push(pattern(length, length));
    assertGreater(producer.offer(sent.at(-1)!, length % 2 === 0 ? MESSAGE_FLAGS.user : 0), 0);
  }
  producer.tryClaim(100)!.abort();
  const claim = producer.tryClaim(33)!;
  sent.push(pattern(33, 7));
  claim.bytes.set(sent.at(-1)!);
  claim.publish();
  const batch = [pattern(9, 1), pattern(0, 2), pattern(77, 3)];
  sent.push(...batch);
  producer.offerBatch(batch);
  producer.tryClaim(0)!.abort();
  sent.push(pattern(2 * maxRecordBytes + 50, 5)); // In three parts.
  assertGreater(producer.offer(sent.at(-1)!), 0);
  return sent;
}

function concat(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

Deno.test("A ring file's identity page is as documented", () => {
  using scratch = new Scratch();
  const channel = scratch.create({ alignment: 8 });
  const file = Deno.readFileSync(scratch.path());
  const { capacity, alignment, salt, headerBytes } = channel.identity;
  assertEquals(readShape(file), { capacity, alignment, salt, headerBytes });
  const view = new DataView(file.buffer);
  const crc = mask(crc32c(file.subarray(0, IDENTITY.crc)));
  assertEquals(view.getUint32(IDENTITY.crc, true), crc);
  const text = new TextDecoder().decode(file.subarray(0, 8));
  assertEquals([text, view.getUint32(IDENTITY.version, true)], ["MTRING01", 3]);
  const name = new TextDecoder().decode(file.subarray(IDENTITY.name, IDENTITY.name + 5));
  assertEquals(name, "test\0");
});
