// The ring and wait tests once more with `--allow-ffi` for everything: there messages can be viewed
// where they lie, and waits sleep on the notifier thread.

import { assertEquals, assertMatch } from "@std/assert";
import { IS_UNSCOPED, ROOT, runChild } from "./_support.ts";

const FILES = [
  "log_edge",
  "ring",
  "ring_ack",
  "ring_claim",
  "ring_consumer",
  "ring_producer",
  "ring_start",
  "subscription",
  "wait",
];

Deno.test({
  name: "Ring and wait tests pass with views and with the notifier thread",
  ignore: IS_UNSCOPED, // They have run so already.
  fn: async () => {
    const temporary = Deno.makeTempDirSync();
    try {
      const flags = [
        "--no-prompt",
        "--no-check", // Nothing but what runs here anyway.
        "--no-lock",
        "--reporter=dot",
        `--allow-read=${ROOT},${temporary}`,
        `--allow-write=${temporary}`,
        "--allow-env=MT_LIB",
        "--allow-ffi",
      ];
      const files = FILES.map((name) => `tests/${name}_test.ts`);
      const env = { TMPDIR: temporary };
      // Three hundred tests: longer than the usual watchdog where the machine is busy.
      const options = { env, watchdogMs: 600_000 };
      const { code, stdout, stderr } = await runChild(["test", ...flags, ...files], options);
      assertEquals(code, 0, `${stdout}${stderr}`);
      assertMatch(stdout, /\bok \| \d{3} passed \| 0 failed/);
    } finally {
      Deno.removeSync(temporary, { recursive: true });
    }
  },
});
