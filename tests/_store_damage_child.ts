/**
 * Damages the file of a small store in every way of one kind, opens it each time and uses it. In a
 * process of its own, so that a crash is seen.
 *
 * Every outcome has to be the right value or a typed error. Prints how often each came, as JSON;
 * fails with the first that is wrong.
 */

import { CorruptStoreError, DurabilityError, openStore, type Store } from "../mod.ts";
import { Random } from "./_random.ts";
import { valueOf } from "./_store.ts";

const [kind, directory, stepText] = Deno.args as [string, string, string];
/** Bytes from one try to the next, or the number of tries of a random kind. */
const STEP = Number(stepText);
const file = `${directory}/data.mdb`;
const mapBytes = 2 ** 18;
const counts: Record<string, number> = {};

/** Versions of the keys: the store has a past, and pages that are free. */
const content = new Map<string, Uint8Array<ArrayBuffer>>();

async function fill(): Promise<Uint8Array<ArrayBuffer>> {
  using store = openStore({ directory, mapBytes });
  for (let version = 0; version < 4; version++) {
    const keys = Array.from({ length: 30 }, (_, n) => `cursor/${n}/${"x".repeat(60)}`);
    keys.push("snapshot/1", "snapshot/2");
    for (const key of keys) {
      content.set(key, valueOf(key, version, key.startsWith("s") ? 9_000 : 70));
    }
    await store.commit([...content].map(([put, value]) => ({ put, value })));
    await store.commit([{ put: "gone", value: valueOf("gone", version, 3_000) }]);
    await store.commit([{ delete: "gone" }]);
  }
  store.close();
  return Deno.readFileSync(file);
}

function count(outcome: string): void {
  counts[outcome] = (counts[outcome] ?? 0) + 1;
}

function isTyped(error: unknown): boolean {
  return error instanceof CorruptStoreError || error instanceof DurabilityError;
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** Reads and writes all. Returns the worst outcome; throws for a wrong one. */
async function use(store: Store, where: string): Promise<string> {
  let outcome = "right";
  const fail = (error: unknown) => {
    if (!isTyped(error)) throw error;
    outcome = (error as CorruptStoreError).key === undefined ? "store" : "value";
  };
  for (const [key, value] of content) {
    const found = await store.get(key).catch(fail);
    if (found !== undefined && !isEqual(found, value)) throw new Error(`${where}: wrong ${key}`);
    if (found === undefined && outcome === "right") throw new Error(`${where}: no ${key}`);
  }
  const keys = await Array.fromAsync(store.keys()).catch(fail);
  if (keys !== undefined && keys.join() !== [...content.keys()].sort().join()) {
    throw new Error(`${where}: wrong keys ${keys}`);
  }
  const operations = [{ put: "new", value: valueOf("new", 1, 5_000) }, {
    deletePrefix: "cursor/1",
  }];
  await store.commit(operations).catch(fail);
  return outcome;
}

/** Opens the store with these bytes as its file, and uses it. */
async function tryFile(bytes: Uint8Array, where: string): Promise<void> {
  Deno.writeFileSync(file, bytes);
  let store: Store;
  try {
    store = openStore({ directory, mapBytes });
  } catch (error) {
    if (!isTyped(error)) throw error;
    return count("refused");
  }
  try {
    count(await use(store, where));
  } finally {
    store.close();
  }
}

/** Changes the file under an open store, then uses it. */
async function tryOpen(
  bytes: Uint8Array,
  where: string,
  damage: () => void,
): Promise<void> {
  Deno.writeFileSync(file, bytes);
  using store = openStore({ directory, mapBytes });
  damage();
  count(await use(store, where));
}

function writeAt(offset: number, bytes: Uint8Array): void {
  using opened = Deno.openSync(file, { write: true });
  opened.seekSync(offset, Deno.SeekMode.Start);
  opened.writeSync(bytes);
}

const KINDS: Record<string, (sound: Uint8Array<ArrayBuffer>) => Promise<void>> = {
  /** A byte with one, then all of its bits changed. */
  async flip(sound) {
    for (let at = 0; at < sound.length; at += STEP) {
      for (const mask of [1 << at % 8, 0xff]) {
        const bytes = sound.slice();
        bytes[at]! ^= mask;
        await tryFile(bytes, `byte ${at} ^ ${mask}`);
      }
    }
  },
  async truncate(sound) {
    for (let size = 0; size < sound.length; size += STEP) {
      await tryFile(sound.slice(0, size), `${size} bytes`);
    }
  },
  /** Sectors of zeros, of other bytes, and of what stands elsewhere in the file. */
  async sector(sound) {
    for (let at = 0; at < sound.length; at += 512) {
      const elsewhere = (at * 7 + 4096) % (sound.length - 512);
      const garbage = valueOf("garbage", at, 512);
      const other = sound.slice(elsewhere, elsewhere + 512);
      for (const sector of [new Uint8Array(512), garbage, other]) {
        const bytes = sound.slice();
        bytes.set(sector, at);
        await tryFile(bytes, `sector at ${at}`);
      }
    }
    await tryFile(new Uint8Array(sound.length), "zeros");
  },
  async truncateOpen(sound) {
    for (let size = 0; size < sound.length; size += STEP) {
      await tryOpen(sound, `${size} bytes`, () => Deno.truncateSync(file, size));
    }
  },
  /** Some bytes of a page, half of the time near its head, where its structure is. */
  async flipOpen(sound) {
    const random = new Random(20_262);
    for (let round = 0; round < STEP; round++) {
      await tryOpen(sound, `round ${round}`, () => {
        for (let flips = 0; flips < 3; flips++) {
          const page = random.below(sound.length / 4096) * 4096;
          const place = random.below(random.below(2) === 0 ? 64 : 4096);
          writeAt(page + place, new Uint8Array([random.below(256)]));
        }
      });
    }
  },
  async zeroOpen(sound) {
    for (let at = 0; at < sound.length; at += STEP) {
      await tryOpen(sound, `page at ${at}`, () => writeAt(at, new Uint8Array(4096)));
    }
  },
};

await KINDS[kind!]!(await fill());
console.log(JSON.stringify(counts));
