// Faults strike at the system calls that were chosen, and at no others.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { acks, lastAcked } from "./_acks.ts";
import { Child, TestDirectory, testUnless } from "./_support.ts";
import { cutShort, straceObstacle, strike, survey, type Trace } from "./_trace.ts";

const obstacle = await straceObstacle();

/** A directory for the child, and one beside it for the log. */
class Places extends TestDirectory {
  readonly files = `${this.path}/files`;
  readonly log = `${this.path}/strace.log`;

  constructor() {
    super();
    Deno.mkdirSync(this.files);
  }

  readLog(): string {
    return Deno.readTextFileSync(this.log);
  }
}

function start(places: Places, config: object, trace: Omit<Trace, "log"> = {}): Child {
  const options = { directory: places.files, trace: { log: places.log, ...trace } };
  return new Child("disk_writer", { chunkBytes: 100, ...config }, options);
}

testUnless(obstacle, "Second fdatasync fails with EIO, the others succeed", async () => {
  using places = new Places();
  await using child = start(places, { chunks: 3 }, { faults: ["fdatasync:error=EIO:when=2"] });
  for (const line of ["acked 1", "failed EIO", "acked 3", "end"]) {
    assertEquals(await child.line(), line);
  }
  await child.succeeded();
  assert(/fdatasync\(.*\) = -1 EIO .*\(INJECTED\)/.test(places.readLog()));
});

testUnless(obstacle, "Delayed fdatasync takes that long", async () => {
  using places = new Places();
  const faults = ["fdatasync:delay_enter=300000:when=2"]; // Microseconds.
  await using child = start(places, { chunks: 2 }, { faults });
  assertEquals(await child.line(), "acked 1");
  assertEquals(await child.line(), "acked 2");
  const { mtime } = Deno.statSync(`${places.files}/log`); // Of the write before.
  assert(Date.now() - mtime!.getTime() >= 300);
  await child.succeeded();
});

testUnless(obstacle, "Calls on other files are neither counted nor hit", async () => {
  using places = new Places();
  const trace = { faults: ["fdatasync:error=EIO:when=1"], paths: [`${places.files}/other`] };
  await using child = start(places, { chunks: 2 }, trace);
  assertEquals(await lastAcked(child), 2n);
  await child.succeeded();
});

testUnless(obstacle, "Death strikes before each call of a scenario once", async () => {
  const scenario = { chunks: 4, rotate: 2 };
  using first = new Places();
  await using whole = start(first, scenario);
  await whole.succeeded();
  const found = survey(first.readLog(), first.files);
  // Three files with their directory's sync, four chunks, two rotations, one file removed.
  const names = found.points.map(({ call }) => call).sort();
  const expected = { openat: 3, fsync: 5, write: 4, fdatasync: 4, rename: 2, unlink: 1 };
  assertEquals(
    names,
    Object.entries(expected).flatMap(([call, count]) => Array(count).fill(call)).sort(),
  );
  assertEquals(found.unreachable, []);

  for (const point of found.points) {
    using places = new Places();
    const trace = strike(point, { directory: places.files, log: places.log });
    await using child = start(places, scenario, trace);
    const acked = await lastAcked(child) ?? 0n;
    assertEquals((await child.ended()).signal, "SIGKILL", point.text);
    assertEquals(cutShort(places.readLog(), places.files), [point.text]);
    // The call did not happen, and all before it did.
    if (point.call === "fdatasync") assertEquals(acked, BigInt(point.when - 1));
    const names = [...Deno.readDirSync(places.files)].map(({ name }) => name);
    if (point.call === "openat" && point.when === 1) assertEquals(names, []);
    if (point.call === "unlink") assertEquals(names.sort(), ["log-2", "log-4"]);
  }
});

testUnless(obstacle, "A traced child can be killed, and its tracer ends with it", async () => {
  using places = new Places();
  await using child = start(places, { chunks: 1_000_000 });
  for await (const sequence of acks(child)) {
    if (sequence === 3n) child.kill();
    if (sequence > 3n) continue; // What it had said before it died.
  }
  assertEquals((await child.ended()).signal, "SIGKILL");
});

Deno.test("survey() counts for each thread and file, across calls that others interrupt", () => {
  const log = `10 openat(AT_FDCWD</>, "/d/a", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3</d/a>
11 fdatasync(4</d/b> <unfinished ...>
10 fdatasync(3</d/a>)       = 0
10 write(1<pipe:[7]>, ""..., 4) = 4
11 <... fdatasync resumed>)       = 0
10 openat(AT_FDCWD</>, "/d/a", O_RDONLY|O_CLOEXEC) = 5</d/a>
11 fdatasync(4</d/b>)       = -1 EIO (Input/output error) (INJECTED)
11 fdatasync(3</d/a>)       = 0
10 renameat2(6</d>, "a", 6</d>, "c", 0) = 0
10 rename("/d/a", "/d/c") = 0
10 pwrite64(7</d/#12>(deleted), ""..., 1, 0) = 1
10 fdatasync(8</dd/x>) = 0
10 fdatasync(3</d/a> <unfinished ...>) = ?
11 fdatasync(4</d/b>)       = ?
10 +++ killed by SIGKILL +++
`;
  const { points, unreachable } = survey(log, "/d");
  assertEquals(points.map(({ call, path, when }) => `${call} ${path} ${when}`), [
    "openat /a 1",
    "fdatasync /b 1",
    "fdatasync /a 1", // Of both threads.
    "fdatasync /b 2",
    "renameat2  1",
    "rename /a 1",
    "fdatasync /a 2",
    "fdatasync /b 3",
  ]);
  assertEquals(points[0]!.text, 'openat(AT_FDCWD</>, "/a", O_RDWR|O_CREAT|O_CLOEXEC, 0600)');
  assertEquals(unreachable.length, 1);
  assertEquals(cutShort(log, "/d"), ["fdatasync(</a>)", "fdatasync(</b>)"]);
});

Deno.test("Acknowledgement in the middle of which a child dies does not count", async () => {
  using directory = new TestDirectory();
  await using child = new Child("torn", {}, {
    directory: directory.path,
    permissions: ["--allow-run"],
  });
  assertEquals(await lastAcked(child), 18446744073709551614n);
  assertEquals((await child.ended()).signal, "SIGKILL");
});

Deno.test("Acknowledgements that go back or are none are errors", async () => {
  for (const wrong of ["acked", "acked x", "acked 3"]) {
    const lines = ["acked 3", wrong];
    const child = { line: () => Promise.resolve(lines.shift()) } as Child;
    await assertRejects(() => lastAcked(child), Error, `above 3, found "${wrong}"`);
  }
});
