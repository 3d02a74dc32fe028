/**
 * Settings of services: TOML files and flags. The first byte chooses the service, and whether the
 * rest is a file or flags, one on each line.
 *
 * @module
 */

import { SERVICES } from "../../../scripts/services/mod.ts";
import { settingsOf } from "../../../scripts/services/_service.ts";
import { encode } from "../../_support.ts";
import { join } from "../../_bytes.ts";
import { overwrite } from "../_surgery.ts";
import type { Target } from "../_target.ts";

const decoder = new TextDecoder();

const FILES = [
  'directory = "/tmp/x"\nsync = "group"\n[gateway]\nport = 1\nrate = 100\n',
  'wal_dir = "logs"\ninstruments = ["A:2:8", "B:0:0"]\ninstruments_file = "i"\n',
  '[matching-engine]\nsnapshot_interval_ms = 5_000\ndirect = true\nbuffer_size = "64MB"\n',
  'a = { b = [1, 2.5, 0x10, inf], c = 1979-05-27T07:32:00Z }\n[[x.y]]\nz = """\nq"""\n',
];
const FLAGS = [
  "--directory\n/tmp\n--wal-dir=x\n--port\n0",
  "--sync=group\n--direct\n--size\n64MB",
  "--no-such\n--\nrest",
];

/** Opens it. */
export function open(directory: string): Target {
  const path = `${directory}/settings.toml`;
  return {
    seeds: [
      ...FILES.flatMap((text) => SERVICES.map((_, at) => join([2 * at], encode(text)))),
      ...FLAGS.flatMap((text) => SERVICES.map((_, at) => join([2 * at + 1], encode(text)))),
    ],
    run(input) {
      const kind = input[0] ?? 0;
      const service = SERVICES[(kind >> 1) % SERVICES.length]!;
      const isFile = kind % 2 === 0;
      if (isFile) overwrite(path, input.subarray(1));
      const args = isFile ? ["--config", path] : decoder.decode(input.subarray(1)).split("\n");
      try {
        const values = settingsOf(service, args);
        service.permissions(values);
      } catch (error) {
        // What `parseArgs` says, `runScript` tells in a line.
        const { code } = error as { code?: string };
        if (code?.startsWith("ERR_PARSE_ARGS")) return code;
        throw error;
      }
      return service.name;
    },
  };
}
