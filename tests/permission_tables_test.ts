// The tables of permissions in README.md: services ask for exactly that, and commands need no
// more.

import { assert, assertEquals } from "@std/assert";
import { openJournal } from "../lib/market/mod.ts";
import { createChannel, openCheckpoints, openConsumer, openProducer } from "../mod.ts";
import { findLibrary } from "../lib/native/binary.ts";
import { type AnyService, settingsOf } from "../scripts/services/_service.ts";
import { toKey } from "../scripts/services/_settings.ts";
import { metrics } from "../scripts/services/metrics.ts";
import { SERVICES } from "../scripts/services/mod.ts";
import { encode, ROOT, runChild, Scratch } from "./_support.ts";

/** Rows of the table of permissions that begins with that heading: cells by their column's. */
function tableOf(heading: string): Record<string, string>[] {
  const lines = Deno.readTextFileSync(`${ROOT}README.md`).split("\n");
  const begin = lines.findIndex((line) =>
    line.startsWith(`| ${heading} `) && line.includes("--allow-ffi")
  );
  const end = lines.findIndex((line, at) => at > begin && !line.startsWith("|"));
  const rows = lines.slice(begin, end)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const [names = [], , ...cells] = rows;
  return cells.map((row) => Object.fromEntries(row.map((cell, at) => [names[at]!, cell])));
}

/** What stands in backticks. */
function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}

/** Places that flags permit, sorted; "all" for a flag without any. */
function permitted(flags: string[], what: string): string[] {
  const found = flags.filter((flag) => flag.split("=")[0] === `--allow-${what}`);
  if (found.includes(`--allow-${what}`)) return ["all"];
  return [...new Set(found.flatMap((flag) => flag.split("=")[1]!.split(",")))].sort();
}

/** What a service needs beside its paths to say what it would be permitted. */
const GIVEN: Record<string, string[]> = {
  gateway: ["--port", "1", "--tcp-port", "2"],
  "market-data": ["--port", "1"],
  inspector: ["--port", "1"],
  metrics: ["--port", "1"],
};

const ADDRESSES: Record<string, string> = {
  "host:port": "127.0.0.1:1",
  "127.0.0.1:port": "127.0.0.1:1",
  "host:tcp_port": "127.0.0.1:2",
};

const ALL_SERVICES = [...SERVICES, metrics]; // It is `mt metrics` that starts the last.

Deno.test("Services ask for the permissions that the README names, and no others", () => {
  const rows = tableOf("Service");
  const named = rows.map((row) => codeIn(row.Service!)[0]!);
  const ours = ALL_SERVICES.map(({ name }) => name);
  assertEquals(named.toSorted(), ours.filter((name) => named.includes(name)).sort());
  for (const row of rows) {
    const service: AnyService = ALL_SERVICES.find(({ name }) => name === codeIn(row.Service!)[0])!;
    // Each path that it may be told of, except those that stand for another one.
    const paths = Object.keys(service.settings).filter((name) =>
      service.settings[name].placeholder === "<path>" && name !== "bufferFile"
    );
    const args = paths.flatMap((name) => {
      const key = toKey(name);
      return [
        `--${key.replaceAll("_", "-")}`,
        key === "instruments_file" ? `/${key}/x` : `/${key}`,
      ];
    });
    const flags = service.permissions(
      settingsOf(service, [...args, ...(GIVEN[service.name] ?? [])]),
    );
    const cell = row["`--allow-read`, `--allow-write`"]!;
    const [both = "", toRead = ""] = cell.split("and to read:");
    const places = (text: string) => codeIn(text).map((name) => `/${name}`);
    assertEquals(permitted(flags, "write"), places(both).sort(), service.name);
    assertEquals(permitted(flags, "read"), [...places(both), ...places(toRead)].sort());
    const library = row["`--allow-ffi`"] === "the library" ? findLibrary() : "all";
    assertEquals(permitted(flags, "ffi"), [library], service.name);
    const addresses = codeIn(row["`--allow-net`"]!).map((name) => ADDRESSES[name]!);
    assertEquals(permitted(flags, "net"), addresses, service.name);
  }
});

Deno.test("SECURITY.md names tests that there are", () => {
  const names = codeIn(Deno.readTextFileSync(`${ROOT}SECURITY.md`))
    .filter((code) => code.endsWith("_test.ts"))
    .map((code) => code.startsWith("tests/") ? code : `tests/${code}`);
  assert(names.length > 0);
  for (const name of names) assert(Deno.statSync(`${ROOT}${name}`).isFile, name);
});

/** Something for every command. */
class Place extends Scratch {
  readonly rings = `${this.directory}/rings`;
  readonly walDir = `${this.directory}/wal`;
  readonly journals = `${this.directory}/journals`;
  readonly checkpoints = `${this.directory}/checkpoints`;

  async fill(): Promise<void> {
    const { rings: directory, walDir, journals } = this;
    Deno.mkdirSync(directory, { mode: 0o700 });
    createChannel("spare", { directory, sizeBytes: 4096 }).close();
    openCheckpoints({ directory: this.checkpoints }).close();
    const options = { directory, walDir, sizeBytes: 4096, segmentBytes: 262_144 };
    using channel = createChannel("quotes", options);
    openConsumer(channel, { name: "gone" }).close();
    const journal = openJournal(channel, { directory: journals });
    openProducer(channel).write(encode("through"));
    await journal.stop();
  }
}

/** Arguments of a command, and the paths that its row calls by a name. */
function commandsOf(
  place: Place,
): Record<string, { args: string[]; path?: string; codeMax?: number }> {
  const { rings, walDir, checkpoints } = place;
  const log = `${walDir}/quotes`;
  const journal = `${place.journals}/quotes`;
  const at = ["--directory", rings];
  return {
    "`layouts`": { args: ["layouts"] },
    "`status`": { args: ["status", ...at] },
    "`top`": { args: ["top", "--once", "--interval", "100", ...at] },
    "`tail`": { args: ["tail", "quotes", ...at] },
    "`tail --wal-dir`": { args: ["tail", "quotes", "--wal-dir", walDir] },
    "`metrics --once`": { args: ["metrics", "--once", ...at] },
    // It may find that this machine fails.
    "`doctor`": { args: ["doctor", ...at, "--wal-dir", walDir], codeMax: 1 },
    "`verify` a log or a ring": { args: ["verify", walDir], path: walDir },
    "`verify` checkpoints": { args: ["verify", checkpoints], path: checkpoints },
    "`inspect`": { args: ["inspect", `${rings}/quotes.ring`], path: `${rings}/quotes.ring` },
    "`recover --dry-run`": { args: ["recover", "--dry-run", log], path: log },
    "`recover`": { args: ["recover", log], path: log },
    "`persist`": { args: ["persist", "quotes", ...at, "--wal-dir", walDir] },
    "`journal read`": { args: ["journal", "read", journal] },
    "`journal replay`": {
      args: ["journal", "replay", journal, "again", ...at, "--pace", "0"],
    },
    "`remove-consumer`": { args: ["remove-consumer", "quotes", "gone", ...at] },
    "`remove`": { args: ["remove", "spare", ...at] },
    // Takes what the others need.
    "`clean`": { args: ["clean", ...at] },
  };
}

/** Runs a command to its end; one that has none is told to end when it has said a line. */
async function runCommand(
  args: string[],
  flags: string[],
): Promise<{ code: number; said: string }> {
  const all = ["run", "--quiet", "--no-prompt", ...flags, `${ROOT}scripts/cli.ts`, ...args];
  if (args[0] !== "persist") {
    const { code, stdout, stderr } = await runChild(all);
    return { code, said: stdout + stderr };
  }
  await using child = new Deno.Command(Deno.execPath(), {
    args: all,
    stdout: "piped",
    stderr: "piped",
    cwd: ROOT,
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read(); // Nothing, at its end.
  child.kill("SIGTERM");
  const { code } = await child.status;
  await reader.cancel();
  return { code, said: await new Response(child.stderr).text() };
}

Deno.test("Commands do with the permissions that the README names", async () => {
  using place = new Place();
  await place.fill();
  const commands = commandsOf(place);
  const rows = tableOf("Command");
  assertEquals(rows.map((row) => row.Command), Object.keys(commands));
  for (const row of rows) {
    const { args, path, codeMax = 0 } = commands[row.Command!]!;
    const paths: Record<string, string | undefined> = {
      ...{ path, directory: place.rings, "wal-dir": place.walDir },
      journal: `${place.journals}/quotes`,
    };
    const flags = ["read", "write"].flatMap((what) => {
      const places = codeIn(row[`\`--allow-${what}\``]!).map((name) => paths[name]!);
      return places.length === 0 ? [] : [`--allow-${what}=${places.join()}`];
    });
    if (row["`--allow-ffi`"] === "the library") flags.push(`--allow-ffi=${findLibrary()}`);
    const { code, said } = await runCommand(args, flags);
    assert(code <= codeMax, `${row.Command}: ${said}`);
    assert(!said.includes("--allow-"), `${row.Command}: ${said}`);
  }
});
