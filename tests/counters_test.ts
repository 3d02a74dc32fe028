import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CorruptCountersError,
  counter,
  gauge,
  openCounters,
  readCounters,
  removeCounters,
  type ServiceCounters,
  Watch,
} from "../lib/observability/mod.ts";
import * as layout from "../lib/native/_layout.ts";
import { ALL_COUNTERS, COUNTED, CountingChild } from "./_counters.ts";
import { patchBytes } from "./_format.ts";
import { FAULTY_LIBRARY } from "./fault/_support.ts";
import { range, ROOT, runChild, Scratch } from "./_support.ts";

function only(directory: string): ServiceCounters {
  const found = readCounters({ directory });
  assertEquals(found.length, 1);
  return found[0]!;
}

function valueOf({ values }: ServiceCounters, name: string): number | undefined {
  return values.find((value) => value.name === name)?.value;
}

Deno.test("readCounters() has names, kinds, help and values, as they are now", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const openedMs = Date.now();
  using counters = openCounters("shop", COUNTED, { directory });
  counters.values.orders.add();
  counters.values.orders.add(41);
  counters.values.sessions.set(-1.5);
  counters.values.wait.record(1000);
  counters.values.wait.record(-1);
  counters.values.wait.record(1e300);
  const { values, ...rest } = only(directory);
  const { startedMs, file, ...stated } = rest;
  assertEquals(stated, { instance: "shop", state: "alive", pid: Deno.pid, openings: 1 });
  assert(startedMs >= openedMs && startedMs < Date.now() + 1, `${startedMs}`);
  assertEquals(file, `${directory}/shop.counters`);
  const [orders, sessions, wait] = values;
  assertEquals(orders, { ...COUNTED.orders, value: 42 });
  assertEquals(sessions, { ...COUNTED.sessions, value: -1.5 });
  const { histogram, ...definition } = wait!;
  assertEquals(definition, COUNTED.wait);
  assertEquals(histogram!.count, 3);
  assertEquals([histogram!.minNs, histogram!.maxNs], [0, 2 ** 36 - 1]);
  assertEquals(new Watch({ directory }).look().services[0]?.values[0]?.value, 42);
  assertEquals(Deno.statSync(file).mode! & 0o777, 0o600);
});

Deno.test("Counters.update() takes over what others have counted, once", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  using counters = openCounters("shop", COUNTED, { directory });
  counters.values.orders.add(1);
  counters.update({ orders: 10, sessions: 3 });
  counters.update({ orders: 12, sessions: 2 });
  counters.update({ orders: 12 });
  assertEquals(valueOf(only(directory), "shop_orders_total"), 13);
  assertEquals(valueOf(only(directory), "shop_sessions_open"), 2);
});

Deno.test("openCounters() goes on in the file of a dead one, but for the gauges", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  for (const opening of range(1, 3)) {
    using counters = openCounters("shop", COUNTED, { directory });
    assertEquals(counters.instance, "shop");
    const { values } = only(directory);
    assertEquals(values[1]?.value, 0);
    counters.values.orders.add(2);
    counters.values.sessions.set(7);
    counters.values.wait.record(5);
    const after = only(directory);
    assertEquals(after.openings, opening);
    assertEquals(valueOf(after, "shop_orders_total"), 2 * opening);
    assertEquals(after.values[2]?.histogram?.count, opening);
  }
  const left = only(directory);
  assertEquals(left.state, "stopped");
  assertEquals(valueOf(left, "shop_sessions_open"), 7, "what it was when it ended");
});

Deno.test("openCounters() replaces the file of a dead one with other definitions", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const { orders, sessions } = COUNTED;
  for (
    const definitions of [
      { orders, sessions },
      { orders },
      { orders: counter(orders.name, "Another help.") },
      { orders: gauge(orders.name, orders.help) },
    ]
  ) {
    using counters = openCounters("shop", definitions, { directory });
    counters.update({ orders: 5 });
    const { openings, values } = only(directory);
    assertEquals([openings, values[0]?.value], [1, 5]);
  }
});

Deno.test("openCounters() begins anew where one has died over replacing a file", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  openCounters("shop", { orders: COUNTED.orders }, { directory }).close();
  const { signal } = await runChild([
    ...["run", "--no-prompt", "--no-lock", "--allow-env=MT_LIB", `--allow-ffi=${ROOT}zig-out`],
    ...[`--allow-read=${directory},${ROOT}`, `--allow-write=${directory}`],
    ...[`${ROOT}tests/_counters_child.ts`, directory, "shop"],
  ], { env: { MT_LIB: FAULTY_LIBRARY, MT_FAULT: "mid_replacement:1" } });
  assertEquals(signal, "SIGKILL");
  assertEquals([...Deno.readDirSync(directory)], []);
  assertEquals(readCounters({ directory }), []);
  using counters = openCounters("shop", COUNTED, { directory });
  counters.values.orders.add(2);
  const { instance, openings, values } = only(directory);
  assertEquals([instance, openings, values[0]?.value], ["shop", 1, 2]);
});

Deno.test("openCounters() shares a file with a group, and replaces one that it does not", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const group = Deno.statSync(directory).gid!;
  const modeOf = (options = {}) => {
    openCounters("shop", COUNTED, { directory, ...options }).close();
    const { openings, file } = only(directory);
    return [openings, Deno.statSync(file).mode! & 0o777];
  };
  assertEquals(modeOf(), [1, 0o600]);
  assertEquals(modeOf({ group }), [1, 0o660]);
  assertEquals(modeOf({ group }), [2, 0o660]);
  assertEquals(modeOf(), [1, 0o600]);
});

Deno.test("openCounters() gives the next one a number, and refuses the seventeenth", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const open = () => openCounters("shop", COUNTED, { directory });
  const opened = range(1, 16).map(open);
  try {
    assertEquals(
      opened.map(({ instance }) => instance),
      range(1, 16).map((i) => i === 1 ? "shop" : `shop-${i}`),
    );
    assertThrows(open, Deno.errors.Busy, "16 services of that name");
    opened[4]!.close();
    opened[4] = open();
    assertEquals(opened[4].instance, "shop-5");
  } finally {
    for (const counters of opened) counters.close();
  }
});

Deno.test("openCounters() refuses names and tables beyond their limits", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const open = (instance: string, definitions: Parameters<typeof openCounters>[1]) => () =>
    openCounters(instance, definitions, { directory }).close();
  const many = (count: number) =>
    Object.fromEntries(range(1, count).map((i) => [`v${i}`, counter(`v${i}_total`, "x")]));
  open("a".repeat(layout.NAME_BYTES_MAX - 3), many(128))();
  for (
    const [instance, definitions] of [
      ["a".repeat(layout.NAME_BYTES_MAX - 2), COUNTED],
      ["../a", COUNTED],
      ["", COUNTED],
      ["a", {}],
      ["a", many(129)],
      ["a", { a: counter("Upper", "x") }],
      ["a", { a: counter("", "x") }],
      ["a", { a: counter("a".repeat(65), "x") }],
      ["a", { a: counter("a", "ä".repeat(101)) }],
      ["a", { a: counter("a", "x"), b: gauge("a", "x") }],
    ] as const
  ) {
    assertThrows(open(instance, definitions), RangeError);
  }
  assertThrows(() => openCounters("a", COUNTED, { directory, group: -1 }), RangeError, "group -1");
});

Deno.test("Counters refuse numbers out of range, and do nothing once closed or truncated", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const counters = openCounters("shop", COUNTED, { directory });
  const { orders, sessions, wait } = counters.values;
  for (const value of [-1, NaN, Infinity]) assertThrows(() => orders.add(value), RangeError);
  for (const value of [NaN, -Infinity]) assertThrows(() => sessions.set(value), RangeError);
  assertThrows(() => wait.record(NaN), RangeError);
  assertEquals(valueOf(only(directory), "shop_orders_total"), 0);
  wait.record(7);
  assertEquals([wait.read().count, wait.read().maxNs], [1, 7]);
  Deno.truncateSync(`${directory}/shop.counters`, 0);
  orders.add(1);
  wait.record(1);
  wait.read();
  counters.update({ sessions: 1 });
  assertEquals(only(directory).state, "unreadable");
  counters.close();
  orders.add(1);
  sessions.set(1);
  wait.record(1);
  assertEquals(wait.read().count, 0);
});

Deno.test("removeCounters() removes what a killed process leaves, and nothing else", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  openCounters("shop", COUNTED, { directory }).close(); // An end in good order, long ago.
  const child = await CountingChild.start(directory, "shop");
  const second = openCounters("shop", COUNTED, { directory });
  try {
    assertEquals(second.instance, "shop-2");
    const found = readCounters({ directory });
    assertEquals(found.map(({ instance, state }) => `${instance} ${state}`), [
      "shop alive",
      "shop-2 alive",
    ]);
    assertEquals(found[0]?.pid, child.pid);
    assertThrows(
      () => removeCounters("shop", { directory }),
      Deno.errors.Busy,
      `process ${child.pid} counts in it`,
    );
  } finally {
    await child.kill();
    second.close();
  }
  const [left, stopped] = readCounters({ directory });
  assertEquals([left?.state, left?.pid, stopped?.state], ["dead", child.pid, "stopped"]);
  assertEquals(left?.values.map(({ value, histogram }) => value ?? histogram?.count), [5, 2.5, 1]);
  removeCounters("shop", { directory });
  assertEquals(readCounters({ directory }).map(({ instance }) => instance), ["shop-2"]);
  assertThrows(() => removeCounters("shop", { directory }), Deno.errors.NotFound);
});

/** Without `Deno.symlinkSync()`, which asks for every path. */
function makeSymlink(target: string, path: string): void {
  assert(new Deno.Command("cp", { args: ["-s", target, path] }).outputSync().success);
}

Deno.test("openCounters() leaves alone what is none of its files", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const open = () => openCounters("shop", COUNTED, { directory }).close();
  const file = `${directory}/shop.counters`;
  Deno.writeTextFileSync(file, "x".repeat(5000), { mode: 0o600 });
  assertThrows(open, CorruptCountersError, "no file of counters");
  Deno.removeSync(file);
  Deno.mkdirSync(file);
  assertThrows(open);
  Deno.removeSync(file);
  Deno.writeTextFileSync(`${directory}/other`, "", { mode: 0o600 });
  makeSymlink(`${directory}/other`, file);
  assertThrows(open, Deno.errors.PermissionDenied);
  Deno.removeSync(file);
  Deno.linkSync(`${directory}/other`, file);
  assertThrows(open, Deno.errors.PermissionDenied);
  Deno.removeSync(file);
  open();
});

Deno.test("readCounters() says which file it cannot read, whatever bit is wrong", () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  openCounters("shop", COUNTED, { directory }).close();
  const file = `${directory}/shop.counters`;
  const sound = Deno.readFileSync(file);
  const tableEnd = layout.COUNTERS_IDENTITY_SIZE + layout.COUNTERS_OWNER_SIZE +
    3 * layout.COUNTERS_ENTRY_SIZE;
  for (let offset = 0; offset < tableEnd; offset += 7) {
    const isOwner = offset >= layout.COUNTERS_IDENTITY_SIZE &&
      offset < layout.COUNTERS_IDENTITY_SIZE + layout.COUNTERS_OWNER_SIZE;
    patchBytes(file, offset, Uint8Array.of(sound[offset]! ^ (1 << offset % 8)));
    const { state, values, error } = only(directory);
    assertEquals(state === "unreadable", !isOwner, `offset ${offset}`);
    assertEquals(values.length, isOwner ? 3 : 0);
    assertEquals(error?.includes(file) ?? false, !isOwner);
    patchBytes(file, offset, sound.subarray(offset, offset + 1));
  }
  assertEquals(only(directory).state, "stopped");
  // A damaged one of ours is replaced: what was counted is lost, and the service starts.
  patchBytes(file, layout.COUNTERS_IDENTITY_CRC_OFFSET, Uint8Array.of(1, 2, 3, 4));
  openCounters("shop", COUNTED, { directory }).close();
  assertEquals(only(directory).openings, 1);
});

Deno.test("Definitions of all services have their own names, units, and help within limits", () => {
  for (const [service, definitions] of Object.entries(ALL_COUNTERS)) {
    using scratch = new Scratch();
    openCounters("shop", definitions, { directory: scratch.directory }).close();
    for (const { name, kind, help } of Object.values(definitions)) {
      assertEquals(name.endsWith("_total"), kind === "counter", `${service}: ${name}`);
      assertEquals(/_seconds$/.test(name) || kind !== "histogram", true, `${service}: ${name}`);
      assert(/^[A-Z0-9].*\.$/.test(help), `${service}: ${help}`);
    }
  }
});
