// Where ring files lie: permissions, the default directory, room, and several processes at once.

import { assert, assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { decodeRing, readShape } from "./_format.ts";
import { range, ROOT, runScript, Scratch } from "./_support.ts";

const SCRIPT = "_channel_child.ts";
const FFI = `--allow-ffi=${ROOT}zig-out`;

/** Runs an action in another process. */
function run(
  action: string,
  argument: unknown,
  flags: string[],
  env: Record<string, string> = {},
): Promise<unknown> {
  const text = typeof argument === "string" ? argument : JSON.stringify(argument);
  return runScript(SCRIPT, flags, [action, text], { env });
}

Deno.test("createChannel() asks Deno's permission for a directory that is named", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const rows: [string[], string | undefined][] = [
    [[], "read"],
    [[`--allow-read=${directory}`], "write"],
    [[`--allow-write=${directory}`], "read"],
    [[`--allow-read=${directory}`, `--allow-write=${directory}/other`], "write"],
    [[`--allow-read=${directory}`, `--allow-write=${directory}`], undefined],
  ];
  for (const [permissions, missing] of rows) {
    const places = [{ directory }, { bufferFile: `${directory}/test.ring` }];
    for (const place of missing === undefined ? places : [places[0]]) {
      const argument = { name: "test", options: { ...place, sizeBytes: 4096 } };
      const answer = await run("create", argument, [FFI, ...permissions]);
      const path = scratch.path();
      if (missing === undefined) {
        assertEquals(answer, { bufferFile: path, text: "through" });
        continue;
      }
      const message = `Requires ${missing} access to "${path}", run again with the ` +
        `--allow-${missing} flag`;
      assertEquals(answer, { error: "NotCapable", message });
      assertEquals([...Deno.readDirSync(directory)], [], "nothing was made");
    }
  }
});

Deno.test("createChannel() needs no more than the library in the default directory", async () => {
  using scratch = new Scratch();
  const argument = { name: "test", options: { sizeBytes: 4096 } };
  const env = { XDG_RUNTIME_DIR: scratch.directory };
  const directory = `${scratch.directory}/message_transport`;
  for (let i = 0; i < 2; i++) { // Made by the first, found by the second.
    const answer = await run("create", argument, [FFI], env);
    assertEquals(answer, { bufferFile: `${directory}/test.ring`, text: "through" });
  }
  assertEquals(Deno.statSync(directory).mode! & 0o7777, 0o700);
  assertEquals(Deno.statSync(`${directory}/test.ring`).mode! & 0o7777, 0o600);
  const without = await run("create", argument, [], env) as { error: string; message: string };
  assertEquals(without.error, "NotCapable");
  assert(without.message.includes("--allow-ffi"), without.message);
});

Deno.test("createChannel() says how much room is missing and leaves nothing", async (t) => {
  using scratch = new Scratch();
  const answer = await run("space", scratch.directory, ["--allow-all"]);
  await t.step({
    name: "NoSpaceError has the bytes needed and available",
    ignore: answer === null, // Every file system here has more than the largest ring.
    fn: () => {
      const { message, path, place, needed, available, left, free } = answer as {
        message: string;
        path: string;
        place: string;
        needed: number;
        available: number;
        left: number;
        free: number;
      };
      assertEquals(path, `${place}/big.ring`);
      assertGreater(needed, 2 ** 36);
      assertGreater(needed, available);
      // Others write to it meanwhile: the same number, give or take a GiB.
      assertGreater(2 ** 30, Math.abs(available - free));
      assert(message.includes(`expected ${needed} bytes free, found ${available}`), message);
      if (place.startsWith("/dev/shm")) assert(message.includes("--shm-size"), message);
      assertEquals(left, 0);
    },
  });
});

Deno.test("createChannel() by several processes makes one file of each", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const flags = [FFI, `--allow-read=${directory}`, `--allow-write=${directory}`];
  const argument = { directory, rounds: 200, startMs: Date.now() + 1000 };
  const answers = await Promise.all(range(1, 4).map(() => run("race", argument, flags)));
  const salts = answers[0] as number[];
  for (const answer of answers) assertEquals(answer, salts, "all have opened the same files");
  const files = [...Deno.readDirSync(directory)];
  assertEquals(files.length, 200, "and no other is left");
  for (const [round, salt] of salts.entries()) {
    const bytes = Deno.readFileSync(scratch.path(`c${round}`));
    assertEquals(readShape(bytes).salt, salt);
    assertEquals(decodeRing(bytes), []);
  }
});

Deno.test("createChannel() stands others that remove the channel meanwhile", async () => {
  using scratch = new Scratch();
  const { directory } = scratch;
  const flags = [FFI, `--allow-read=${directory}`, `--allow-write=${directory}`];
  const argument = { directory, rounds: 300, startMs: Date.now() + 1000 };
  const answers = await Promise.all(range(1, 3).map(() => run("churn", argument, flags)));
  const removed = (answers as number[]).reduce((sum, count) => sum + count, 0);
  assertGreaterOrEqual(removed, 300, "who finds it removed has seen another remove it");
  assertGreaterOrEqual(900, removed);
});
