// Settings of services, from flags and TOML files.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ScriptError, UsageError } from "../scripts/_command.ts";
import { ownChannel, serverPermissions } from "../scripts/services/_channels.ts";
import { settingsOf } from "../scripts/services/_service.ts";
import { SERVICES } from "../scripts/services/mod.ts";
import {
  bytes,
  choice,
  flag,
  integer,
  list,
  path,
  readSettings,
  settingsHelp,
  text,
} from "../scripts/services/_settings.ts";
import { TaskDirectory } from "./_task.ts";

const SETTINGS = {
  bufferSize: bytes(8192, "bytes of the ring"),
  host: text("127.0.0.1", "address"),
  port: integer({ min: 0, max: 65_535, byDefault: 0 }, "port"),
  sync: choice(["group", "none"], "group", "when"),
  isFast: flag("fast"),
  symbols: list(["A"], "symbols"),
  walDir: path("logs"),
};

function read(...args: string[]) {
  return readSettings({ name: "gateway", shared: { timeoutMs: SETTINGS.port } }, SETTINGS, args);
}

Deno.test("readSettings() takes flags over the service's table over the file over defaults", () => {
  using directory = new TaskDirectory();
  const file = directory.write(
    "mt.toml",
    [
      'timeout_ms = "theirs"\nbuffer_size = "64MB"\nport = 1\nhost = "::1"\nsymbols = ["X", "Y"]\n',
      "[gateway]\nport = 2\nis_fast = true\n[collector]\nport = 3\nwhatever = 4\n",
    ].join(""),
  );
  assertEquals(read(), {
    ...{ bufferSize: 8192, host: "127.0.0.1", port: 0, sync: "group", isFast: false },
    ...{ symbols: ["A"], walDir: undefined },
  });
  assertEquals(read("--config", file, "--host", "localhost", "--wal-dir", "/tmp/../x"), {
    ...{ bufferSize: 64 * 2 ** 20, host: "localhost", port: 2, sync: "group", isFast: true },
    ...{ symbols: ["X", "Y"], walDir: "/x" },
  });
  assertEquals(read("--symbols", "A, B", "--buffer-size", "4KB").symbols, ["A", "B"]);
});

Deno.test("readSettings() refuses what is wrong, and says what would be right", () => {
  using directory = new TaskDirectory();
  const refuse = (toml: string) =>
    assertThrows(() => read("--config", directory.write("mt.toml", toml)), UsageError).message;
  assertStringIncludes(refuse("bufer_size = 1"), "expected one of buffer_size, host, port, sync");
  assertStringIncludes(refuse("[gateway]\nwal = 1"), 'Cannot use "wal" in');
  assertStringIncludes(refuse("[gateway]\ntimeout_ms = 1"), 'Cannot use "timeout_ms" in');
  for (
    const wrong of [
      ...['port = "x"', "port = 65536", "port = 1.5", "port = -1", "port = nan", "port = true"],
      ...["host = 1", 'host = ""', 'sync = "often"', "is_fast = 1", "symbols = [1]"],
      ...["symbols = [[]]", 'buffer_size = "64 parsecs"', "buffer_size = 0", "wal_dir = []"],
      "host = 2026-11-29",
    ]
  ) {
    assertStringIncludes(refuse(wrong), `as "${wrong.split(" ")[0]}" in`, wrong);
  }
  assertStringIncludes(refuse("port = "), "as settings: ");
  for (const args of [["--port", "x"], ["--sync", "often"], ["--buffer-size", "-1"]]) {
    assertThrows(() => read(...args), args[1] === "-1" ? TypeError : UsageError);
  }
  const { message } = assertThrows(() => read("--prot", "1"), UsageError);
  assertStringIncludes(message, "expected one of --config, --buffer-size, --host, --port");
  for (const file of [directory.path, `${directory.path}/none`]) {
    assertThrows(() => read("--config", file), ScriptError);
  }
});

Deno.test("settingsHelp() names each flag and its default", () => {
  const help = settingsHelp(SETTINGS);
  assertStringIncludes(help, "--buffer-size <size>");
  assertStringIncludes(help, "when (default group)");
  assertStringIncludes(help, "--is-fast  ");
});

Deno.test("A service listens for other machines only where that is allowed", () => {
  const at = (host: string, allowRemote: boolean) =>
    serverPermissions({ host, port: 80, allowRemote });
  assertEquals(at("127.0.0.1", false), ["--allow-net=127.0.0.1:80"]);
  assertEquals(at("0.0.0.0", true), ["--allow-net=0.0.0.0:80"]);
  for (const host of ["0.0.0.0", "10.0.0.1", "127.0.0.1.example.org", "::"]) {
    assertThrows(() => at(host, false), UsageError, "loopback");
  }
});

Deno.test("ownChannel() is the ring file's name", () => {
  const at = (bufferFile?: string) => ownChannel({ directory: undefined, bufferFile }, "orders");
  assertEquals([at(), at("/dev/shm/a.b.ring")], ["orders", "a.b"]);
  assertThrows(() => at("/dev/shm/a.b"), UsageError, ".ring");
});

Deno.test("One file has the settings of all services", () => {
  using directory = new TaskDirectory();
  const file = directory.write(
    "pipeline.toml",
    'directory = "/d"\nwal_dir = "/w"\nbuffer_size = "1MB"\nstate_dir = "/s"\nport = 0\n' +
      'instruments = ["BTC-USD:2:8"]\ninstruments_file = "/i"\n[journal]\nchannel = "a"\n',
  );
  for (const service of SERVICES) settingsOf(service, ["--config", file]);
  const wrong = directory.write("wrong.toml", 'instrument_file = "/i"\n');
  for (const service of SERVICES) {
    assertThrows(() => settingsOf(service, ["--config", wrong]), UsageError, "expected one of");
  }
});
