// Files that are no sound ring of this user: each is refused by the right check, and left as it is.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CorruptHeaderError,
  createChannel,
  LayoutMismatchError,
  openChannel,
  openConsumer,
  openObserver,
  openProducer,
  removeChannel,
} from "../mod.ts";
import { crc32c, forgeIdentity, IDENTITY, mask, patchBytes, readShape } from "./_format.ts";
import { encode, pollTexts, runScript, Scratch } from "./_support.ts";

/** Both ways to come to a file that is there. Both have to refuse it alike. */
const OPENINGS = [openChannel, createChannel];

/** A ring file with a message in it, which nobody has open any more. */
function makeRing(scratch: Scratch): string {
  const channel = scratch.create();
  openProducer(channel).offer(encode("kept"));
  channel.close();
  return scratch.path();
}

/** Opening has to fail with that error and leave the file alone. */
function assertRefused<E extends Error>(
  scratch: Scratch,
  kind: new (...args: never[]) => E,
  text: string,
): E[] {
  const { directory } = scratch;
  const before = Deno.statSync(scratch.path());
  const errors = OPENINGS.map((open) =>
    assertThrows(() => open("test", { directory }), kind, text, text)
  );
  const after = Deno.statSync(scratch.path());
  const fields = ["size", "mode", "ino", "nlink"] as const;
  for (const field of fields) assertEquals(after[field], before[field], field);
  return errors;
}

Deno.test("openChannel() throws NotFound for a channel that is not there", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const missing = [directory, `${directory}/absent`, `${directory}/absent/deeper`];
  for (const directory of missing) {
    assertThrows(() => openChannel("test", { directory }), Deno.errors.NotFound, "Cannot open");
    assertThrows(() => removeChannel("test", { directory }), Deno.errors.NotFound);
  }
  const absent = { directory: `${directory}/absent` };
  assertThrows(() => createChannel("test", absent), Deno.errors.NotFound, "Cannot create");
  Deno.writeTextFileSync(`${directory}/file`, "");
  const file = { directory: `${directory}/file` };
  for (const open of OPENINGS) {
    assertThrows(() => open("test", file), Deno.errors.NotADirectory);
  }
});

Deno.test("openChannel() refuses a file that was cut off or made longer", () => {
  using scratch = new Scratch();
  const path = makeRing(scratch);
  const whole = Deno.readFileSync(path);
  const { headerBytes } = readShape(whole);
  const sizes = [0, 1, 8, 4091, 4095, 4096, 4097, 4224, 5120, headerBytes - 1, headerBytes];
  const more = [headerBytes + 1, whole.length - 4096, whole.length - 1, whole.length + 1];
  for (const size of [...sizes, ...more, 2 * whole.length]) {
    const bytes = new Uint8Array(size);
    bytes.set(whole.subarray(0, size));
    Deno.writeFileSync(path, bytes);
    const belong = size < 4096 ? 4096 : whole.length;
    assertRefused(scratch, CorruptHeaderError, `found ${size} bytes where ${belong} belong`);
  }
  Deno.writeFileSync(path, whole);
  const channel = scratch.open();
  assertEquals(pollTexts(openObserver(channel, { from: "earliest" })), ["kept"]);
});

Deno.test("openChannel() refuses a file of something else", () => {
  using scratch = new Scratch();
  const path = makeRing(scratch);
  const size = Deno.statSync(path).size;
  const noise = Uint8Array.from({ length: size }, (_, i) => Math.imul(i, 2654435761) >>> 24);
  const contents = [new Uint8Array(size), new Uint8Array(size).fill(0xff), noise];
  for (const content of contents) {
    Deno.writeFileSync(path, content);
    for (const error of assertRefused(scratch, CorruptHeaderError, "found no ring file")) {
      assertEquals(error.path, path);
    }
    assertEquals(Deno.readFileSync(path), content);
  }
  removeChannel("test", { directory: scratch.directory }); // As the error advises.
  scratch.create();
});

Deno.test("openChannel() refuses another version and another fingerprint", () => {
  using scratch = new Scratch();
  const path = makeRing(scratch);
  const whole = Deno.readFileSync(path);
  const view = new DataView(whole.buffer);
  for (
    const [field, text] of [["version", "format version"], ["fingerprint", "fingerprint"]] as const
  ) {
    const actual = view.getUint32(IDENTITY[field], true);
    for (const other of [0, actual + 1, 0xffff_ffff]) {
      Deno.writeFileSync(path, whole);
      forgeIdentity(path, (view) => view.setUint32(IDENTITY[field], other, true));
      const errors = assertRefused(scratch, LayoutMismatchError, `expected ${text} ${actual}`);
      for (const error of errors) {
        assertEquals([error.expected, error.actual], [`${actual}`, `${other}`]);
      }
    }
  }
  Deno.writeFileSync(path, whole);
  patchBytes(path, 0, encode("MTRING02"));
  assertRefused(scratch, CorruptHeaderError, "found no ring file");
});

Deno.test("openChannel() refuses an identity that contradicts itself", () => {
  using scratch = new Scratch();
  const path = makeRing(scratch);
  const whole = Deno.readFileSync(path);
  const page = whole.slice(0, IDENTITY.crc);
  const view = new DataView(whole.buffer);
  assertEquals(view.getUint32(IDENTITY.crc, true), mask(crc32c(page)), "the test's own checksum");
  const words: [keyof typeof IDENTITY, number[]][] = [
    ["capacity", [0, 4095, 2048, 8192, 2 ** 31]],
    ["headerBytes", [0, 4096, 2 ** 31]],
    ["alignment", [0, 4, 7, 1024]],
    ["producersMax", [0, 2, 64]],
    ["consumersMax", [0, 65, 0xffff_ffff]],
    ["flags", [1, 16, 0x8000_0000]],
  ];
  for (const [field, values] of words) {
    for (const value of values) {
      Deno.writeFileSync(path, whole);
      forgeIdentity(path, (view) => view.setUint32(IDENTITY[field], value, true));
      assertRefused(scratch, CorruptHeaderError, "Cannot use");
    }
  }
});

Deno.test("openChannel() refuses a file that holds another channel", () => {
  using scratch = new Scratch();
  const path = makeRing(scratch);
  const renamed = scratch.path("other");
  Deno.renameSync(path, renamed);
  for (const open of OPENINGS) {
    const error = assertThrows(
      () => open("other", { directory: scratch.directory }),
      CorruptHeaderError,
      `found channel "test" instead of "other"`,
    );
    assertEquals(error.path, renamed);
  }
});

Deno.test("createChannel() makes a channel anew that is of before the host's last start", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const path = makeRing(scratch);
  forgeIdentity(path, (view) => {
    view.setUint8(IDENTITY.bootId, view.getUint8(IDENTITY.bootId) ^ 1);
  });
  assertThrows(
    () => openChannel("test", { directory }),
    Deno.errors.NotFound,
    "found a ring of before this host's last start",
  );
  const channel = scratch.create();
  const consumer = openConsumer(channel, { from: "earliest" });
  assertEquals(openProducer(channel).offer(encode("new")), 1);
  assertEquals(pollTexts(consumer), ["new"], "nothing of the old one is left");
});

Deno.test("openChannel() refuses a file that others may reach", () => {
  using scratch = new Scratch();
  const path = makeRing(scratch);
  for (const mode of [0o644, 0o666, 0o640, 0o620, 0o601, 0o660, 0o700, 0o4600, 0o2600]) {
    Deno.chmodSync(path, mode);
    const [error] = assertRefused(scratch, Deno.errors.PermissionDenied, "expected a regular file");
    assert(error!.message.includes(`mode 0${mode.toString(8)}`), error!.message);
  }
  Deno.chmodSync(path, 0o600);
  scratch.open();
});

Deno.test("openChannel() refuses a directory that everybody may change", () => {
  using scratch = new Scratch();
  makeRing(scratch);
  Deno.chmodSync(scratch.directory, 0o777);
  assertRefused(scratch, Deno.errors.PermissionDenied, "no other user may write");
  Deno.chmodSync(scratch.directory, 0o1777); // As /tmp: nobody can replace another's file there.
  scratch.open();
});

/** Makes a pipe, a socket or a symbolic link by a process that may. */
async function make(kind: string, path: string, target?: string): Promise<void> {
  const flags = ["--allow-all"];
  const argument = JSON.stringify({ kind, path, target });
  assertEquals(await runScript("_channel_child.ts", flags, ["make", argument]), false);
}

Deno.test("openChannel() refuses a file of two names", () => {
  using scratch = new Scratch();
  const path = makeRing(scratch);
  Deno.linkSync(path, `${scratch.directory}/second`);
  assertRefused(scratch, Deno.errors.PermissionDenied, "with one name");
  Deno.removeSync(`${scratch.directory}/second`);
  scratch.open();
});

Deno.test("openChannel() refuses symbolic links", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const path = makeRing(scratch);
  Deno.renameSync(path, `${directory}/moved`);
  for (const target of [`${directory}/moved`, "moved", "absent", "test.ring"]) {
    await make("link", path, target);
    for (const open of OPENINGS) {
      assertThrows(() => open("test", { directory }), Deno.errors.PermissionDenied);
    }
    assert(Deno.lstatSync(path).isSymlink, "the link is still there");
    Deno.removeSync(path);
  }
  Deno.renameSync(`${directory}/moved`, path);
  scratch.open();
  const linked = `${directory}/linked`;
  await make("link", linked, ".");
  for (const open of OPENINGS) {
    assertThrows(() => open("test", { directory: linked }), Deno.errors.NotADirectory);
  }
});

Deno.test("openChannel() refuses what is no file", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const path = scratch.path();
  Deno.mkdirSync(path);
  for (const open of [...OPENINGS, removeChannel]) {
    assertThrows(() => open("test", { directory }), Deno.errors.IsADirectory);
  }
  Deno.removeSync(path);
  for (const kind of ["socket", "pipe"]) {
    await make(kind, path);
    for (const open of OPENINGS) {
      assertThrows(() => open("test", { directory }), Deno.errors.PermissionDenied);
    }
    removeChannel("test", { directory });
  }
  scratch.create();
});
