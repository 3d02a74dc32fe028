// A pid that comes back does not bring its dead owner back: liveness is a lock, not a number.

import { assertEquals } from "@std/assert";
import { BACK_PRESSURED, createChannel, openProducer } from "../../mod.ts";
import { IS_LONG, note, pause, ROOT, TestDirectory, until } from "./_support.ts";

const ROUNDS = IS_LONG ? 100 : 2;

/** Runs a consumer in a pid namespace, kills it, and starts another program under its pid. */
const SCRIPT = `
"$0" run --no-prompt --no-config --allow-read="$1" --allow-write="$1" --allow-ffi="$2zig-out" \\
  "$2tests/fault/children/consumer.ts" \\
  "{\\"directory\\":\\"$1\\",\\"channel\\":\\"reuse\\",\\"handle\\":\\"never\\"}" > "$1/out" &
consumer=$!
echo "$consumer"
read -r _
kill -KILL "$consumer"
wait "$consumer" 2> /dev/null
for attempt in $(seq 1000); do
  echo $((consumer - 1)) > /proc/sys/kernel/ns_last_pid
  sleep 1000 &
  [ "$!" -eq "$consumer" ] && break
  kill "$!"
done
echo "$!"
read -r _
kill "$!"
`;

/** Why this cannot run here, if it cannot. */
function obstacle(): string | undefined {
  if (Deno.permissions.querySync({ name: "run", command: "unshare" }).state !== "granted") {
    return "needs --allow-run=unshare";
  }
  try {
    const args = ["-pf", "--mount-proc", "true"];
    const { success } = new Deno.Command("unshare", { args, stderr: "null" }).outputSync();
    return success ? undefined : "needs root, for a pid namespace";
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "needs unshare of util-linux";
  }
}

const why = obstacle();
const suffix = why === undefined ? "" : ` (skipped: ${why})`;

Deno.test({
  name: `Consumer whose pid another process got is dead, and freed${suffix}`,
  ignore: why !== undefined,
  async fn() {
    for (let round = 0; round < ROUNDS; round++) await reuseOnce();
    note("pidsReused", ROUNDS);
  },
});

async function reuseOnce(): Promise<void> {
  using directory = new TestDirectory();
  using channel = createChannel("reuse", { directory: directory.path, sizeBytes: 4096 });
  const producer = openProducer(channel);
  const shell = new Deno.Command("unshare", {
    args: ["-pf", "--mount-proc", "bash", "-c", SCRIPT, Deno.execPath(), directory.path, ROOT],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = shell.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = shell.stdin.getWriter();
  const go = () => input.write(new TextEncoder().encode("\n"));
  try {
    const pid = (await lines.read()).value?.trim();
    await until("the consumer is there", () => channel.stats().consumers.length === 1);
    assertEquals(channel.stats().consumers[0]?.pid, Number(pid));
    while (producer.offer(new Uint8Array(100)) !== BACK_PRESSURED);
    await go();
    assertEquals((await lines.read()).value?.trim(), pid, "another process has that pid now");
    assertEquals(channel.stats().consumers[0]?.state === "alive", false);
    while (producer.offer(new Uint8Array(100)) === BACK_PRESSURED) await pause();
    await go();
  } finally {
    await input.close().catch(() => {});
    await lines.cancel();
    await shell.status;
  }
}
