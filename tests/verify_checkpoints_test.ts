// Verifying stores and checkpoints, by the library and by the tool: what is damaged is named, what
// was only cut short is not, and nothing is changed.

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  openCheckpoints,
  openConsumer,
  openProducer,
  openStore,
  verifyCheckpoints,
  type VerifyProgress,
  verifyStore,
} from "../mod.ts";
import { mtHere } from "./_cli.ts";
import { drain, encode, pattern, Scratch } from "./_support.ts";
import { Random } from "./_random.ts";
import { runTask } from "./_task.ts";

const MIB = 1024 * 1024;
const STATE_BYTES = 2 * MIB + 500; // Three chunks.
const PAGE_BYTES = 4096;

/** A state of which no part is like another. */
function stateOf(id: number): Uint8Array<ArrayBuffer> {
  const random = new Random(id);
  return Uint8Array.from({ length: STATE_BYTES }, () => random.below(256));
}

/** Checkpoints 3 (in store a) and 2 (in store b) of a state, whose owner has stopped. */
class Kept extends Scratch {
  readonly checkpoints = `${this.directory}/checkpoints`;

  async make(): Promise<void> {
    using channel = this.create({}, "orders");
    const producer = openProducer(channel);
    const consumer = openConsumer(channel, { name: "engine" });
    using checkpoints = openCheckpoints({ directory: this.checkpoints });
    for (let id = 1; id <= 3; id++) {
      producer.write(encode("x"));
      drain(consumer);
      const state = stateOf(id);
      await checkpoints.checkpoint("engine", { state, consumers: [consumer] });
    }
  }

  /** What the files of both stores hold. */
  content(): string[] {
    return ["a", "b"].map((name) => Deno.readFileSync(this.file(name)).toHex());
  }

  file(store: string): string {
    return `${this.checkpoints}/${store}/data.mdb`;
  }

  async commit(store: string, ...operations: Parameters<typeof commitTo>[1]): Promise<void> {
    await commitTo(`${this.checkpoints}/${store}`, operations);
  }

  /** Changes the first of these bytes, also in pages that are out of use. */
  flipIn(store: string, bytes: Uint8Array): void {
    const content = Deno.readFileSync(this.file(store));
    let count = 0;
    const wanted = Buffer.from(bytes);
    for (let at = -1; (at = Buffer.from(content.buffer).indexOf(wanted, at + 1)) >= 0; count++) {
      content[at]! ^= 1;
    }
    assert(count > 0);
    Deno.writeFileSync(this.file(store), content);
  }
}

async function commitTo(
  directory: string,
  operations: Parameters<ReturnType<typeof openStore>["commit"]>[0] & unknown[],
): Promise<void> {
  using store = openStore({ directory });
  await store.commit(operations);
}

// deno-lint-ignore no-explicit-any -- what the tool prints, as its readers see it
async function mtJson(...args: string[]): Promise<{ code: number; value: any }> {
  const { code, stdout, stderr } = await mtHere(...args, "--json");
  assert(stdout !== "", stderr);
  return { code, value: JSON.parse(stdout) };
}

Deno.test("verifyCheckpoints() reads everything, and changes no byte of it", async () => {
  using kept = new Kept();
  await kept.make();
  const before = kept.content();
  const steps: VerifyProgress[] = [];
  const found = await verifyCheckpoints(kept.checkpoints, {
    onProgress: (progress) => void steps.push(progress),
  });
  assertEquals(found.stores.flatMap(({ findings }) => findings), []);
  assertEquals(found.stores.map(({ entries }) => entries), [4, 4], "a manifest and three chunks");
  assertEquals([found.orphanedChunks, found.setAside], [0, []]);
  const [state, ...others] = found.states;
  assertEquals([state!.id, others], ["engine", []]);
  assertEquals(
    state!.checkpoints.map(({ id, store, bytes, chunks, damage }) => [
      ...[id, store, bytes, chunks, damage],
    ]),
    [[3, "a", STATE_BYTES, 3, undefined], [2, "b", STATE_BYTES, 3, undefined]],
  );
  const { channel, consumer, sequence } = state!.checkpoints[0]!.cursors[0]!;
  assertEquals([channel, consumer, sequence], ["orders", "engine", 3]);
  const { done, total, bytes } = steps.at(-1)!;
  assertEquals([done, total, steps.length], [8, 8, 8], "each value once");
  assertEquals(bytes, found.stores[0]!.bytes + found.stores[1]!.bytes);
  assert(bytes > 2 * STATE_BYTES);
  assertEquals(kept.content(), before);
});

Deno.test("verifyCheckpoints() names each value that is damaged, and its checkpoint", async () => {
  using kept = new Kept();
  await kept.make();
  kept.flipIn("a", stateOf(3).subarray(MIB + 100, MIB + 150));
  kept.flipIn("a", stateOf(3).subarray(2 * MIB));
  const { stores, states } = await verifyCheckpoints(kept.checkpoints);
  assertEquals(stores[0]!.findings.map(({ key }) => key), [
    "snap/engine/0000000000000003/00000001",
    "snap/engine/0000000000000003/00000002",
  ]);
  assertEquals(stores[1]!.findings, []);
  const [newest, older] = states[0]!.checkpoints;
  assertMatch(newest!.damage!, /00000001.*found checksum/);
  assertEquals([newest!.id, older!.id, older!.damage], [3, 2, undefined]);
});

Deno.test("verifyCheckpoints() finds what commits have spoiled, each by its key", async () => {
  const chunk = "snap/engine/0000000000000003/00000001";
  const manifest = "ckpt/engine/0000000000000003";
  const value = encode("garbage");
  for (
    const [key, pattern, ...operations] of [
      [chunk, /no such chunk/, { delete: chunk }],
      ["snap/engine/0000000000000003/", /SHA-256/, { put: chunk, value }],
      [manifest, /no manifest that/, { put: manifest, value }],
    ] as const
  ) {
    using kept = new Kept();
    await kept.make();
    await kept.commit("a", ...operations);
    const { stores, states } = await verifyCheckpoints(kept.checkpoints);
    assertEquals(stores[0]!.findings.map((finding) => finding.key), [key]);
    assertMatch(states[0]!.checkpoints[0]!.damage!, pattern);
    assertEquals(states[0]!.checkpoints[1]!.damage, undefined);
  }
});

Deno.test("verifyCheckpoints() tells a missing manifest from a checkpoint cut short", async () => {
  using kept = new Kept();
  await kept.make();
  const chunk = { put: "snap/engine/0000000000000004/00000000", value: encode("half a state") };
  await kept.commit("b", chunk);
  await kept.commit("b", { put: "snap/young/0000000000000001/00000000", value: encode("young") });
  const cut = await verifyCheckpoints(kept.checkpoints);
  assertEquals(cut.stores.flatMap(({ findings }) => findings), []);
  assertEquals([cut.orphanedChunks, cut.orphanedBytes], [2, 17]);
  assertEquals(cut.states.map(({ id, checkpoints }) => [id, checkpoints.length]), [
    ["engine", 2],
    ["young", 0],
  ]);
  await kept.commit("b", { delete: "ckpt/engine/0000000000000002" });
  const { stores, states, orphanedChunks } = await verifyCheckpoints(kept.checkpoints);
  assertEquals(orphanedChunks, 2);
  assertMatch(stores[1]!.findings[0]!.text, /chunks of it, and no manifest/);
  assertEquals(stores[1]!.findings.length, 1);
  assertEquals(states[0]!.checkpoints.map(({ damage }) => damage === undefined), [true, false]);
});

Deno.test("Checkpoint removes chunks of every other one of its state in its store", async () => {
  using kept = new Kept();
  await kept.make();
  await kept.commit("b", { put: "snap/engine/0000000000000009/00000000", value: encode("old") });
  await kept.commit("b", { put: "snap/engines/0000000000000009/00000000", value: encode("x") });
  {
    using checkpoints = openCheckpoints({ directory: kept.checkpoints });
    await checkpoints.checkpoint("engine", { state: encode("four"), consumers: [] });
  }
  using store = openStore({ directory: `${kept.checkpoints}/b` });
  assertEquals(await Array.fromAsync(store.keys()), [
    "ckpt/engine/0000000000000004",
    "snap/engine/0000000000000004/00000000",
    "snap/engines/0000000000000009/00000000",
  ]);
});

Deno.test("verifyCheckpoints() goes on with the other store when one is no store", async () => {
  using kept = new Kept();
  await kept.make();
  const whole = Deno.readFileSync(kept.file("b"));
  for (
    const bytes of [
      pattern(100_000, 3),
      new Uint8Array(0),
      whole.subarray(0, whole.length - 10 * PAGE_BYTES),
      whole.subarray(0, PAGE_BYTES + 1),
    ]
  ) {
    Deno.writeFileSync(kept.file("b"), bytes);
    const { stores, states } = await verifyCheckpoints(kept.checkpoints);
    assertEquals(stores.map(({ findings }) => findings.length), [0, 1]);
    assertEquals(stores[1]!.findings[0]!.key, "");
    assertEquals(states[0]!.checkpoints.map(({ id }) => id), [3]);
    assertEquals(Deno.readFileSync(kept.file("b")), bytes);
    const names = [...Deno.readDirSync(kept.checkpoints)].map(({ name }) => name).sort();
    assertEquals(names, ["a", "b"], "nothing is set aside");
  }
  Deno.removeSync(kept.file("b"));
  const gone = await verifyCheckpoints(kept.checkpoints);
  assertMatch(gone.stores[1]!.findings[0]!.text, /found no data.mdb/);
  openCheckpoints({ directory: kept.checkpoints }).close();
  Deno.writeFileSync(kept.file("b"), pattern(100_000, 3));
  openCheckpoints({ directory: kept.checkpoints }).close(); // Sets it aside.
  const { stores, setAside } = await verifyCheckpoints(kept.checkpoints);
  assertEquals(stores.flatMap(({ findings }) => findings), []);
  assertEquals(setAside.length, 1);
});

Deno.test("verifyStore() and verifyCheckpoints() make nothing, and name the owner", async () => {
  using kept = new Kept();
  const nothing = () => verifyCheckpoints(kept.directory);
  await assertRejects(nothing, Deno.errors.NotFound, "expected checkpoints, found none");
  const none = () => verifyStore(kept.directory);
  await assertRejects(none, Deno.errors.NotFound, "expected store, found none");
  assertEquals([...Deno.readDirSync(kept.directory)], []);
  await kept.make();
  using _checkpoints = openCheckpoints({ directory: kept.checkpoints });
  const owner = `${Deno.pid}`;
  await assertRejects(() => verifyCheckpoints(kept.checkpoints), Deno.errors.Busy, owner);
  const busy = await assertRejects(() => verifyStore(`${kept.checkpoints}/a`), Deno.errors.Busy);
  assertMatch(busy.message, /stop it first$/);
  const { code, stdout } = await mtHere("verify", kept.checkpoints);
  assertEquals(code, 1);
  assertMatch(stdout, new RegExp(`found live process ${owner} as its owner; stop it first`));
});

Deno.test("mt verify and mt inspect show stores and checkpoints, sound and damaged", async () => {
  using kept = new Kept();
  await kept.make();
  const sound = await runTask("mt", ["verify", kept.checkpoints]);
  assertEquals([sound.code, sound.stderr], [0, ""]);
  assertMatch(sound.stdout, /^Checkpoints: sound\n/);
  assertMatch(sound.stdout, /^engine +3 +2.00 MiB +\d+ s +a +orders\/engine 3 +sound$/m);
  const store = await mtJson("verify", `${kept.checkpoints}/a`);
  assertEquals([store.code, store.value.results[0].store.entries], [0, 4]);
  const overview = await mtJson("inspect", kept.checkpoints);
  assertEquals([overview.code, overview.value.kind], [0, "checkpoints"]);
  assertEquals(overview.value.files.map(({ name }: { name: string }) => name), [
    ...["a/LOCK", "a/data.mdb", "b/LOCK", "b/data.mdb"],
  ]);
  kept.flipIn("a", stateOf(3).subarray(100, 150));
  const damaged = await mtJson("verify", kept.checkpoints);
  assertEquals([damaged.code, damaged.value.results[0].sound], [1, false]);
  const { checkpoints } = damaged.value.results[0];
  assertEquals(checkpoints.stores[0].findings[0].key, "snap/engine/0000000000000003/00000000");
  assertEquals((await mtJson("verify", `${kept.checkpoints}/a`)).code, 1);
  assertEquals((await mtJson("verify", `${kept.checkpoints}/b`)).code, 0);
  const text = await mtHere("inspect", kept.checkpoints);
  assertEquals(text.code, 1);
  assertMatch(text.stdout, /^engine +3 .* damaged$/m);
  assertMatch(text.stdout, /^Cannot read key "snap\/engine\/0{15}3\/0{8}" .*: found checksum/m);
  assertMatch(text.stdout, /^a\/data.mdb +\d/m);
});

Deno.test("mt recover --dry-run says from which checkpoint, and why not from a newer", async () => {
  using kept = new Kept();
  await kept.make();
  const whole = await mtJson("recover", "--dry-run", kept.checkpoints);
  const [plan] = whole.value.states;
  assertEquals([whole.code, plan.action, plan.from.id, plan.passedOver], [0, "recover", 3, []]);
  kept.flipIn("a", stateOf(3).subarray(100, 150));
  const before = kept.content();
  const second = await runTask("mt", ["recover", "--dry-run", kept.checkpoints]);
  assertEquals([second.code, second.stderr], [0, ""]);
  assertMatch(second.stdout, /^State "engine": would recover from checkpoint 2 in store b,/m);
  assertMatch(second.stdout, /^ {2}orders\/engine would go on with sequence 3$/m);
  assertMatch(second.stdout, /^ {2}not from checkpoint 3: Cannot read key .* found checksum/m);
  assertEquals(kept.content(), before);
  Deno.writeFileSync(kept.file("b"), pattern(100_000, 3));
  const none = await mtJson("recover", "--dry-run", kept.checkpoints);
  assertEquals([none.code, none.value.states[0].action], [1, "refuse"]);
  assertEquals(none.value.damagedStores[0].directory, `${kept.checkpoints}/b`);
  const { code, stderr } = await mtHere("recover", kept.checkpoints);
  assertEquals(code, 1);
  assertMatch(stderr, /with --dry-run it says from which/);
});
