// Syncs of a log that fail or take long. A failed one ends the log for this process: nothing is
// acknowledged after it. Whoever opens it next has all that was, and what is in the ring.

import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { createChannel, type HistoryEntry, openChannel } from "../../mod.ts";
import { FsyncGateDisk, readDirect } from "./_disk.ts";
import { Child, type Ended, IS_LONG, note, TestDirectory, testUnless, until } from "./_support.ts";
import { straceObstacle, type Trace } from "./_trace.ts";
import { type Life, messageAt, recordsOf, WAL_OPTIONS, WalLedger } from "./_wal.ts";

const noTrace = await straceObstacle();
const noFsyncGate = await FsyncGateDisk.obstacle();

/** What a writer has told. */
interface Told extends Life {
  /** `<errno>` of each failed wait or offer. */
  failures: string[];
  /** Whether something was acknowledged after one. */
  hasAckedLate: boolean;
  ended: Ended;
}

/** A channel whose log is on a disk of its own. */
class Place {
  readonly directory: string;
  readonly walDir: string;
  readonly log: string;

  constructor(directory: TestDirectory, walDir = `${directory.path}/wal`) {
    this.directory = directory.path;
    this.walDir = walDir;
    this.log = `${directory.path}/strace.log`;
  }

  get options() {
    return { ...WAL_OPTIONS, directory: this.directory, walDir: this.walDir };
  }

  start(config: object, { trace, plant }: { trace?: Omit<Trace, "log">; plant?: string }): Child {
    const whole = { channel: "sync", options: this.options, life: 1, seed: 1, ...config };
    return new Child("wal_writer", whole, {
      directory: this.directory,
      permissions: [`--allow-read=${this.walDir}`, `--allow-write=${this.walDir}`],
      ...trace === undefined ? {} : { trace: { ...trace, log: this.log } },
      ...plant === undefined ? {} : { plant },
    });
  }

  /** Reads everything by a process that has the log opened anew. */
  readAll(life: Life): WalLedger {
    using channel = createChannel("sync", this.options);
    const ledger = new WalLedger([life]);
    ledger.readOn(channel);
    return ledger;
  }
}

async function listen(child: Child, onAck?: (sequence: number) => void): Promise<Told> {
  const told = { id: 1, begin: 0, acked: 0, failures: [] as string[], hasAckedLate: false };
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    const [word, first, second] = line.split(" ");
    if (word === "open") told.begin = Number(first);
    if (word === "failed") told.failures.push(second!);
    if (word !== "acked") continue;
    told.acked = Number(first);
    if (told.failures.length > 0) told.hasAckedLate = true;
    onAck?.(told.acked);
  }
  return { ...told, ended: await child.ended() };
}

/** Runs a writer whose k-th fdatasync fails on each thread. */
async function failAt(
  k: number,
  plant?: string,
): Promise<Told & { ledger: WalLedger; history: HistoryEntry[] }> {
  using directory = new TestDirectory();
  const place = new Place(directory);
  const config = { rounds: 14, goesOn: true };
  const trace = { faults: [`fdatasync:error=EIO:when=${k}`], calls: ["fdatasync"] };
  await using child = place.start(config, { trace, ...plant === undefined ? {} : { plant } });
  const told = await listen(child);
  if (told.ended.code !== 0) return { ...told, ledger: place.readAll(told), history: [] };
  using channel = openChannel("sync", { directory: place.directory, readOnly: true });
  return { ...told, history: channel.history(), ledger: place.readAll(told) };
}

testUnless(noTrace, "Nothing is acknowledged after the sync that failed, whichever", async () => {
  let failedOpenings = 0;
  for (let k = 1;; k++) {
    const { acked, failures, hasAckedLate, ended, ledger, history } = await failAt(k);
    assertEquals(hasAckedLate, false, `fdatasync ${k}`);
    assertGreaterOrEqual(ledger.last, acked);
    if (ended.code !== 0) { // Opening the log has failed.
      assert(/EIO|error 5/.test(ended.stderr), ended.stderr);
      assertEquals([acked, failures], [0, []]);
      failedOpenings++;
      continue;
    }
    if (failures.length === 0) {
      assertGreaterOrEqual(k, 8, "it has so many syncs at least");
      note("failedSyncs", k - 1);
      break;
    }
    assertEquals(new Set(failures), new Set(["5"]));
    assertEquals(history.map(({ kind, errno }) => [kind, errno]), [["log-failed", 5]]);
    // The message that waited was published: the ring has kept it.
    assertGreaterOrEqual(ledger.last, acked + 1, `fdatasync ${k}`);
  }
  assertGreaterOrEqual(failedOpenings, 1);
});

testUnless(noTrace, "A failed sync that is repeated is found out", async () => {
  const k = 13; // Behind those of opening, and one of the 14 groups.
  const planted = await failAt(k, "retried_sync");
  assertEquals([planted.failures, planted.acked > 0], [[], true]);
  assertEquals((await failAt(k)).failures.length > 0, true);
});

/** Messages that are whole in what the disk has. */
async function storedIn(directory: string, last: number): Promise<Set<number>> {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
  const contents: Uint8Array[] = [];
  for (const name of names.filter((name) => name.endsWith(".wal"))) {
    contents.push(
      await readDirect(`${directory}/${name}`, { size: WAL_OPTIONS.segmentBytes as number }),
    );
  }
  const stored = new Set<number>();
  for (let first = 1; first <= last; first++) {
    const message = new TextDecoder("latin1").decode(messageAt(first, 1));
    if (contents.some((content) => new TextDecoder("latin1").decode(content).includes(message))) {
      stored.add(first);
    }
  }
  return stored;
}

for (const round of IS_LONG ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1, 2]) {
  testUnless(
    noFsyncGate,
    `Lost write-back ends the log, and the next reads the disk (${round})`,
    async () => {
      await using disk = await FsyncGateDisk.create();
      using directory = new TestDirectory();
      const place = new Place(directory, `${disk.path}/wal`);
      await using child = place.start({ rounds: 50_000, pauseMs: 2 }, {}); // It ends before.
      let starving: Promise<void> | undefined;
      const told = await listen(child, (sequence) => {
        if (sequence <= 20 * round) return;
        starving ??= disk.starve({ freeBytes: 64 * 1024 }); // It writes meanwhile.
        starving.catch(() => {}); // Awaited below.
      });
      await starving;
      assert(["28", "5"].includes(told.failures.join()), told.failures.join()); // As the kernel is.
      assertEquals([told.hasAckedLate, told.ended.code], [false, 0], told.ended.stderr);
      const stored = await storedIn(`${place.walDir}/sync`, told.acked);
      await disk.feed();
      const ledger = place.readAll(told);
      assertGreaterOrEqual(ledger.last, told.acked);
      const isWhole = (first: number) => recordsOf(messageAt(first, 1).length, 8000) > 1;
      for (let first = 1; first <= told.acked; first++) {
        if (!ledger.firsts.has(first) || isWhole(first)) continue;
        assert(stored.has(first), `message ${first} of ${told.acked} was acknowledged, not stored`);
      }
    },
  );
}

testUnless(
  noTrace,
  "Slow syncs hold producers back and make groups larger; nothing is lost",
  async () => {
    using directory = new TestDirectory();
    const place = new Place(directory);
    const faults = [`fdatasync:delay_enter=${IS_LONG ? 1_000_000 : 200_000}`];
    const trace = { faults, calls: ["fdatasync"] };
    await using child = place.start({ isLazy: true }, { trace });
    const life: Life = { id: 1, begin: Number(await child.expect("open")), acked: 0 };
    using channel = openChannel("sync", { directory: directory.path });
    await until("the producer is held back", () => channel.stats().producers[0]!.backPressured > 0);
    while (life.acked < 400) life.acked = Number(await child.expect("acked"));
    child.kill();
    const { acked, ended } = await listen(child);
    assertEquals(ended.signal, "SIGKILL", ended.stderr);
    life.acked = Math.max(life.acked, acked);
    const { groups, logged, syncNsMax } = channel.stats().log!;
    assert(logged / groups > 4, `${logged} records in ${groups} groups`); // Else about 1.
    assert(syncNsMax >= 200e6);
    place.readAll(life);
  },
);
