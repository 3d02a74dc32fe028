// Spoilt ring files: a value or a typed error each time, never a crash and never a hang. What may
// end the process runs in another one, whose progress file names the case that ended it.

import { assertEquals, assertGreater } from "@std/assert";
import { IS_LONG } from "../fault/_support.ts";
import { ROOT, runScript, Scratch } from "../_support.ts";

/** Fixed, so that a failure comes again; a failing case shows it. */
const SEED = 20240808;

/** One of so many words of a header is spoilt, each word with MT_LONG=1. */
const STRIDE = IS_LONG ? 1 : 3;

/** Thousands of cases: longer than the usual watchdog where the machine is busy. */
const WATCHDOG_MS = IS_LONG ? 3_600_000 : 600_000;

interface Answer {
  cases: number;
  errors: Record<string, number>;
}

/** Runs a script over a task. Should it crash or hang, the error says at which case. */
async function fuzz(script: string, task: object): Promise<Answer> {
  using scratch = new Scratch();
  const { directory } = scratch;
  const view = "view" in task && task.view === true;
  const flags = [
    `--allow-read=${directory},${ROOT}`,
    `--allow-write=${directory}`,
    view ? "--allow-ffi" : `--allow-ffi=${ROOT}zig-out`,
  ];
  try {
    const args = [JSON.stringify({ ...task, directory })];
    return await runScript(script, flags, args, { watchdogMs: WATCHDOG_MS }) as Answer;
  } catch (cause) {
    const places = [...Deno.readDirSync(directory)].filter(({ name }) => /\.progress$/.test(name))
      .map(({ name }) => Deno.readTextFileSync(`${directory}/${name}`).trim());
    throw new Error(`${JSON.stringify(task)} failed at ${places.join(" ")}`, { cause });
  }
}

Deno.test("openChannel() refuses an identity page with any bit flipped", async () => {
  const { cases, errors } = await fuzz("fuzz/_sweep_identity.ts", {});
  assertGreater(cases, 4096 * 8);
  assertEquals(Object.keys(errors).sort(), ["CorruptHeaderError", "LayoutMismatchError"]);
});

for (const producers of ["single", "many"]) {
  for (const isOpen of [false, true]) {
    const when = isOpen ? "while it is open" : "before it is opened";
    Deno.test(`A ${producers} channel stands header bytes spoilt ${when}`, async () => {
      const shares = [0, STRIDE].map((first) => {
        return fuzz("fuzz/_sweep_header.ts", { producers, isOpen, first, stride: 2 * STRIDE });
      });
      let noticed = 0;
      for (const { cases, errors } of await Promise.all(shares)) {
        assertGreater(cases, 4000 / STRIDE);
        noticed += errors.CorruptHeaderError ?? 0;
      }
      assertGreater(noticed, 0);
    });
  }
}

const RINGS = [
  { producers: "single", alignment: 64, view: false },
  { producers: "many", alignment: 8, view: false },
  { producers: "single", alignment: 8, view: true },
  { producers: "many", alignment: 64, view: true },
];

for (const ring of RINGS) {
  const { producers, alignment, view } = ring;
  const name = `${producers}, ${alignment}, ${view ? "view" : "copy"}`;
  Deno.test(`Consumer.poll() tells of every damaged record (${name})`, async () => {
    const { cases } = await fuzz("fuzz/_sweep_record.ts", { ...ring, seed: SEED });
    assertGreater(cases, 2000);
  });
}
