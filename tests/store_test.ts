import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { CorruptStoreError, openStore, StoreClosedError, type StoreOperation } from "../mod.ts";
import { contentOf, StoreScratch, valueOf } from "./_store.ts";
import { encode, ROOT, runChild, runScript } from "./_support.ts";

Deno.test("Store.get() returns what commit() has put, also after reopening", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const large = valueOf("large", 0, 100_000);
  await store.commit([
    { put: "small", value: encode("one") },
    { put: "empty", value: new Uint8Array() },
    { put: "large", value: large },
  ]);
  await store.commit([{ put: "small", value: encode("two") }]);
  store.close();
  const again = scratch.open();
  assertEquals(await again.get("small"), encode("two"));
  assertEquals(await again.get("empty"), new Uint8Array());
  assertEquals(await again.get("large"), large);
  assertEquals(await again.get("none"), undefined);
  assertEquals(again.stats().entries, 3);
});

Deno.test("Store.commit() applies its operations in order", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  await store.commit([
    { put: "a/1", value: encode("1") },
    { put: "a/2", value: encode("2") },
    { put: "b", value: encode("b") },
    { deletePrefix: "a/" },
    { put: "a/3", value: encode("3") },
    { delete: "none" },
    { put: "c", value: encode("c") },
    { delete: "c" },
  ]);
  assertEquals([...(await contentOf(store)).keys()], ["a/3", "b"]);
  await store.commit([{ deletePrefix: "" }]);
  assertEquals(store.stats().entries, 0);
});

Deno.test("Store.keys() lists the keys with a prefix in order, however many", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const keys = Array.from({ length: 2_000 }, (_, n) => `chunk/${String(n).padStart(6, "0")}`);
  const others = ["chunk", "chunk0", "chunl", "\u{feff}bom", "ä", "\u{10ffff}"];
  await store.commit([...keys, ...others].map((put) => ({ put, value: encode(put) })));
  assertEquals(await Array.fromAsync(store.keys("chunk/")), keys);
  assertEquals(await Array.fromAsync(store.keys("chunk/00199")), keys.slice(1990));
  assertEquals(await Array.fromAsync(store.keys("d")), []);
  const all = await Array.fromAsync(store.keys());
  const order = (text: string) =>
    Array.from(encode(text), (byte) => String.fromCharCode(byte)).join("");
  const expected = [...keys, ...others].sort((a, b) => order(a) < order(b) ? -1 : 1);
  assertEquals(all, expected);
});

Deno.test("Store.commit() grows the map until a batch fits", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open(2 ** 18);
  const value = valueOf("snapshot", 1, 3_000_000);
  await store.commit([{ put: "snapshot", value }]);
  assert(store.stats().mapBytes >= 4 * 2 ** 20, `${store.stats().mapBytes} bytes of map`);
  assertEquals(await store.get("snapshot"), value);
  store.close();
  assertEquals(await scratch.open(2 ** 18).get("snapshot"), value);
});

Deno.test("Store.commit() uses the pages of deleted values again", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  for (let version = 0; version < 60; version++) {
    await store.commit([{ put: "snapshot", value: valueOf("snapshot", version, 100_000) }]);
  }
  const { usedBytes } = store.stats();
  assert(usedBytes < 600_000, `${usedBytes} bytes for one value of 100000`);
});

Deno.test("Store.commit() copies its values before it returns", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const value = valueOf("a", 1, 5_000);
  const before = value.slice();
  const committed = store.commit([{ put: "a", value }]);
  value.fill(0);
  await committed;
  assertEquals(await store.get("a"), before);
});

Deno.test("Store calls take turns when many are under way", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const names = Array.from({ length: 40 }, (_, n) => `key/${n}`);
  await Promise.all(names.flatMap((put) => [
    store.commit([{ put, value: valueOf(put, 1, 10_000) }]),
    store.get(put),
  ]));
  for (const name of names) assertEquals(await store.get(name), valueOf(name, 1, 10_000));
  assertEquals(store.stats().transaction, 41);
});

Deno.test("Store.close() waits for the calls that are under way, and ends later ones", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const value = valueOf("a", 1, 1_000_000);
  const committed = store.commit([{ put: "a", value }]).then(() => true, (error) => error);
  store.close();
  store.close();
  const outcome = await committed;
  await assertRejects(() => store.get("a"), StoreClosedError, scratch.directory);
  await assertRejects(() => store.commit([]), StoreClosedError);
  await assertRejects(() => store.keys().next(), StoreClosedError);
  assertThrows(() => store.stats(), StoreClosedError);
  // It had begun, or it had not: in both cases the store says which.
  const found = await scratch.open().get("a");
  assert(outcome === true || outcome instanceof StoreClosedError, String(outcome));
  assertEquals(found, outcome === true ? value : undefined);
});

Deno.test("openStore() makes a private directory and private files", () => {
  using scratch = new StoreScratch();
  scratch.open();
  assertEquals(Deno.statSync(scratch.directory).mode! & 0o777, 0o700);
  const names = [...Deno.readDirSync(scratch.directory)].map(({ name }) => name).sort();
  assertEquals(names, ["LOCK", "data.mdb"]);
  for (const name of names) {
    assertEquals(Deno.statSync(`${scratch.directory}/${name}`).mode! & 0o777, 0o600);
  }
});

Deno.test("openStore() throws Busy with the owner's pid to a second owner", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const error = assertThrows(() => scratch.open(), Deno.errors.Busy);
  assertStringIncludes(error.message, `process ${Deno.pid}`);
  const flags = ["read", "write"].map((name) => `--allow-${name}=${scratch.directory}`);
  const other = await openInChild(scratch.directory, flags);
  assertStringIncludes(other, `Busy: Cannot open store "${scratch.directory}"`);
  assertStringIncludes(other, `process ${Deno.pid}`);
  store.close();
  assertEquals(await openInChild(scratch.directory, flags), "");
});

/** Opens a store in another process; what that printed. */
async function openInChild(directory: string, flags: string[]): Promise<string> {
  const fixed = ["run", "--no-prompt", "--no-lock", `--allow-ffi=${ROOT}zig-out`];
  const child = await runChild([...fixed, ...flags, `${ROOT}tests/_store_opener.ts`, directory]);
  assertEquals([child.code, child.stderr], [0, ""]);
  return child.stdout;
}

Deno.test("openStore() refuses what others may change, and what is no store's file", async () => {
  using scratch = new StoreScratch();
  scratch.open().close();
  const refuse = (kind: new (message: string) => Error) => assertThrows(() => scratch.open(), kind);
  Deno.chmodSync(scratch.directory, 0o770);
  refuse(Deno.errors.PermissionDenied);
  Deno.chmodSync(scratch.directory, 0o700);
  Deno.chmodSync(scratch.file, 0o640);
  refuse(Deno.errors.PermissionDenied);
  Deno.chmodSync(scratch.file, 0o600);
  Deno.linkSync(scratch.file, `${scratch.directory}/other`);
  refuse(Deno.errors.PermissionDenied);
  Deno.removeSync(scratch.file);
  const link = JSON.stringify({ kind: "link", path: scratch.file, target: "other" });
  await runScript("_channel_child.ts", ["--allow-all"], ["make", link]);
  refuse(Deno.errors.PermissionDenied);
  Deno.removeSync(scratch.file);
  Deno.mkdirSync(scratch.file);
  refuse(Deno.errors.PermissionDenied);
});

Deno.test("openStore() takes up what a process that died while making it has left", async () => {
  using scratch = new StoreScratch();
  Deno.mkdirSync(`${scratch.directory}/making`, { recursive: true, mode: 0o700 });
  Deno.writeTextFileSync(`${scratch.directory}/making/data.mdb`, "half of it");
  const store = scratch.open();
  await store.commit([{ put: "a", value: encode("1") }]);
  const names = [...Deno.readDirSync(scratch.directory)].map(({ name }) => name).sort();
  assertEquals(names, ["LOCK", "data.mdb"]);
});

Deno.test("openStore() throws for a missing parent, a file in its place and a wrong size", () => {
  using scratch = new StoreScratch();
  const open = (directory: string, mapBytes = 2 ** 20) => () => openStore({ directory, mapBytes });
  assertThrows(open(`${scratch.directory}/a/b`), Deno.errors.NotFound);
  Deno.writeTextFileSync(`${scratch.directory}file`, "");
  assertThrows(open(`${scratch.directory}file`), Deno.errors.NotADirectory);
  Deno.removeSync(`${scratch.directory}file`);
  assertThrows(open(`${scratch.directory}\0`), RangeError);
  for (const mapBytes of [0, -1, NaN, 2 ** 18 - 1, 2 ** 20 + 0.5, 2 ** 45]) {
    assertThrows(open(scratch.directory, mapBytes), RangeError, `mapBytes ${mapBytes}`);
  }
});

Deno.test("openStore() demands both file permissions", async () => {
  using scratch = new StoreScratch();
  const read = await openInChild(scratch.directory, []);
  assertStringIncludes(read, "NotCapable: Requires read access");
  const write = await openInChild(scratch.directory, [`--allow-read=${scratch.directory}`]);
  assertStringIncludes(write, "NotCapable: Requires write access");
  assertThrows(() => Deno.statSync(scratch.directory), Deno.errors.NotFound);
});

Deno.test("Store refuses what is no key, and batches that are too large", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const value = new Uint8Array();
  for (const put of ["", "\0", "a".repeat(512), "ä".repeat(256), "\ud800"]) {
    await assertRejects(() => store.commit([{ put, value }]), RangeError, "as a key");
    await assertRejects(() => store.get(put), RangeError, "as a key");
  }
  const huge = new Uint8Array(2 ** 28);
  await assertRejects(() => store.commit([{ put: "a", value: huge }]), RangeError, "268435456");
  await store.commit([{ put: "a".repeat(511), value }]);
  assertEquals(await Array.fromAsync(store.keys()), ["a".repeat(511)]);
});

Deno.test("Store.copy() fills its place, or says how large that would have to be", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const value = valueOf("a", 1, 20_000);
  await store.commit([{ put: "a", value }]);
  const place = new Uint8Array(20_003);
  assertEquals(await store.copy("a", place.subarray(1, 20_002)), 20_000);
  assertEquals(place, Uint8Array.of(0, ...value, 0, 0));
  const small = new Uint8Array(19_999);
  assertEquals([await store.copy("a", small), small.some(Boolean)], [20_000, false]);
  assertEquals(await store.copy("b", place), undefined);
  await assertRejects(() => store.copy("a", new Uint8Array()), RangeError, "a byte or more");
});

Deno.test("Store.get() throws CorruptStoreError with the key for a damaged value", async () => {
  using scratch = new StoreScratch();
  const store = scratch.open();
  const value = valueOf("bad", 1, 20_000);
  await store.commit([{ put: "bad", value }, { put: "good", value: encode("good") }]);
  store.close();
  const bytes = Deno.readFileSync(scratch.file);
  const place = bytes.findIndex((_, at) => value.every((byte, i) => bytes[at + i] === byte));
  scratch.flip(place + 12_345, 0x10);
  const again = scratch.open();
  const error = await assertRejects(() => again.get("bad"), CorruptStoreError, "checksum 0x");
  assertEquals([error.path, error.key], [scratch.directory, "bad"]);
  assertEquals(await again.get("good"), encode("good"));
  await again.commit([{ put: "bad", value }]);
  assertEquals(await again.get("bad"), value);
});

const keyArbitrary = fc.constantFrom("a", "a/1", "a/2", "a/22", "b", "b/1", "c".repeat(500), "ä");
const operationArbitrary: fc.Arbitrary<StoreOperation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ put: keyArbitrary, value: fc.uint8Array({ maxLength: 40 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      put: keyArbitrary,
      value: fc.nat(20_000).map((length) => valueOf("v", length, length)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ delete: keyArbitrary }) },
  { weight: 1, arbitrary: fc.record({ deletePrefix: fc.constantFrom("a", "a/", "b/", "c", "") }) },
);

function applyToModel(model: Map<string, Uint8Array>, operation: StoreOperation): void {
  if ("put" in operation) model.set(operation.put, operation.value);
  else if ("delete" in operation) model.delete(operation.delete);
  else {
    for (const key of model.keys()) if (key.startsWith(operation.deletePrefix)) model.delete(key);
  }
}

Deno.test("Store holds what a Map holds after random batches and reopenings", async () => {
  const batches = fc.array(
    fc.record({
      operations: fc.array(operationArbitrary, { maxLength: 12 }),
      reopen: fc.boolean(),
    }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(batches, async (rounds) => {
      using scratch = new StoreScratch();
      const model = new Map<string, Uint8Array>();
      let store = scratch.open();
      for (const { operations, reopen } of rounds) {
        await store.commit(operations);
        for (const operation of operations) applyToModel(model, operation);
        if (reopen) {
          store.close();
          store = scratch.open();
        }
        const content = await contentOf(store);
        assertEquals([...content.keys()], [...model.keys()].sort());
        for (const [key, value] of content) {
          assertEquals(value, Uint8Array.from(model.get(key)!), key);
        }
        assertEquals(store.stats().entries, model.size);
      }
    }),
    { numRuns: 40 },
  );
});
