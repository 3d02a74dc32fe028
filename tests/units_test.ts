// Units for systemd: that they are what the services need, and that systemd takes them.

import { assertEquals } from "@std/assert";
import { unitFiles } from "../scripts/gen_units.ts";
import { metrics } from "../scripts/services/metrics.ts";
import { SERVICES } from "../scripts/services/mod.ts";
import { ROOT, runProgram, Scratch } from "./_support.ts";

/** Ten times the exposure, of ten, that `systemd-analyze security` may find. */
const EXPOSURE_MAX = 20;

async function hasAnalyze(): Promise<boolean> {
  try {
    return (await runProgram("systemd-analyze", ["--version"])).code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const HAS_ANALYZE = await hasAnalyze();
if (!HAS_ANALYZE) console.log("units_test.ts: partly skipped, as there is no systemd-analyze");

Deno.test("Units in deploy/systemd are those that deno task gen:units writes", () => {
  const directory = `${ROOT}deploy/systemd`;
  const wanted = unitFiles();
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  assertEquals(names, Object.keys(wanted).sort());
  for (const [name, text] of Object.entries(wanted)) {
    assertEquals(Deno.readTextFileSync(`${directory}/${name}`), text, name);
  }
});

Deno.test("Units are there for each service but those of tests, and the inspector", () => {
  const byHand = ["load-generator", "fake-exchange", "inspector"];
  const wanted = [...SERVICES, metrics].map(({ name }) => name).filter((name) =>
    !byHand.includes(name)
  );
  const units = Object.keys(unitFiles()).map((name) =>
    /^message-transport-(.*?)@?\.service$/.exec(name)?.[1]
  );
  assertEquals(units.filter((name) => name !== undefined).sort(), wanted.sort());
});

Deno.test({
  name: "systemd verifies the units, and finds them hardened",
  ignore: !HAS_ANALYZE,
  async fn() {
    using scratch = new Scratch();
    const paths: string[] = [];
    for (const [name, text] of Object.entries(unitFiles())) {
      if (!name.endsWith(".service")) continue;
      const path = `${scratch.directory}/${name}`;
      // It looks whether the program is there.
      Deno.writeTextFileSync(path, text.replace("/usr/bin/deno", Deno.execPath()));
      paths.push(path);
    }
    const verified = await runProgram("systemd-analyze", ["verify", ...paths]);
    assertEquals({ code: verified.code, said: verified.stderr + verified.stdout }, {
      code: 0,
      said: "",
    });
    for (const path of paths) {
      const args = ["security", "--offline=true", `--threshold=${EXPOSURE_MAX}`, "--no-pager"];
      const { code, stdout } = await runProgram("systemd-analyze", [...args, path]);
      assertEquals(code, 0, stdout.split("\n").at(-2));
    }
  },
});
