// The build script runs in a small checkout of its own, with shell scripts in the place of Zig and
// npm that write down how they were called.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { countZigTests, LMDB_SOURCE } from "../scripts/_zig.ts";

const SCRIPTS = new URL("../scripts/", import.meta.url);
const LIBRARY = `libmessage_transport.${Deno.build.os === "darwin" ? "dylib" : "so"}`;

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A temporary checkout with a fake toolchain in `bin`, the only folder on its PATH. */
class Checkout implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async create(): Promise<Checkout> {
    const checkout = new Checkout(await Deno.makeTempDir());
    for (const name of ["build.ts", "_zig.ts", "_command.ts"]) {
      await checkout.write(`scripts/${name}`, await Deno.readTextFile(new URL(name, SCRIPTS)));
    }
    await checkout.write("build.zig", "");
    await checkout.write("zig/root.zig", "");
    await checkout.write(LMDB_SOURCE, "");
    await Deno.mkdir(`${checkout.root}/bin`);
    return checkout;
  }

  async write(path: string, text: string): Promise<void> {
    const folder = `${this.root}/${path}`.replace(/\/[^/]*$/, "");
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${this.root}/${path}`, text);
  }

  async writeProgram(path: string, body: string): Promise<void> {
    await this.write(path, `#!/bin/sh\nPATH=/usr/bin:/bin\n${body}\n`);
    await Deno.chmod(`${this.root}/${path}`, 0o755);
  }

  /** Writes a Zig whose every build is a line in `calls`. */
  async writeZig(path: string, { version = "0.16.0", onBuild = "" } = {}): Promise<void> {
    await this.writeProgram(
      path,
      `if [ "$1" = version ]; then echo asked >> "${this.root}/versions"; echo ${version}; exit; fi
echo "${path} $*" >> "${this.root}/calls"
while [ $# -gt 0 ]; do [ "$1" = --prefix ] && prefix=$2; shift; done
${onBuild}
mkdir -p "$prefix/lib" && echo built > "$prefix/lib/${LIBRARY}"`,
    );
  }

  async build(args: string[] = [], env: Record<string, string> = {}): Promise<Outcome> {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-config", "--no-lock", "--no-check", "--no-prompt"],
        ...["--allow-read", "--allow-run", "--allow-env=ZIG,PATH"],
        `--allow-write=${this.root}`,
        `${this.root}/scripts/build.ts`,
        ...args,
      ],
      env: { PATH: `${this.root}/bin`, ZIG: "", NO_COLOR: "1", ...env },
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** The calls to build so far, one line each. */
  async calls(): Promise<string[]> {
    const text = await Deno.readTextFile(`${this.root}/calls`).catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

Deno.test("build makes the library once, and again when a source is newer", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig");
  assertEquals((await checkout.build()).code, 0);
  const second = await checkout.build(["--json"]);
  const path = `${checkout.root}/zig-out/lib/${LIBRARY}`;
  assertEquals(JSON.parse(second.stdout), { path, built: false, seconds: 0 });
  assertEquals(await checkout.calls(), ["bin/zig build -Doptimize=ReleaseFast --prefix zig-out"]);

  const built = (await Deno.stat(path)).mtime!;
  await Deno.utime(`${checkout.root}/zig/root.zig`, built, built);
  assertEquals(JSON.parse((await checkout.build(["--json"])).stdout).built, true);
  assertEquals((await checkout.calls()).length, 2);
});

Deno.test("build goes over a library that is up to date when it is forced to", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig");
  await checkout.build();
  await checkout.build(["--", "--force"]);
  assertEquals((await checkout.calls()).length, 2);
});

Deno.test("build keeps each variant in its own folder", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig");
  await checkout.build(["--fault-points"]);
  await checkout.build(["--target", "aarch64-linux-gnu.2.28"]);
  assertEquals(await checkout.calls(), [
    "bin/zig build -Doptimize=ReleaseFast --prefix zig-out/faults -Dfault-points=true",
    "bin/zig build -Doptimize=ReleaseFast --prefix zig-out/aarch64-linux-gnu.2.28 " +
    "-Dtarget=aarch64-linux-gnu.2.28",
  ]);
});

Deno.test("build goes again when a source changed while it ran", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig", { onBuild: `touch zig/root.zig` });
  await checkout.build();
  await checkout.build();
  assertEquals((await checkout.calls()).length, 2);
});

Deno.test("build makes one library when two run at once", async () => {
  await using checkout = await Checkout.create();
  // The first build goes on until the second process has found its compiler and wants to build.
  await checkout.writeZig("bin/zig", {
    onBuild: `while [ "$(wc -l < "${checkout.root}/versions")" -lt 2 ]; do sleep 0.01; done`,
  });
  const outcomes = await Promise.all([checkout.build(), checkout.build()]);
  assertEquals(outcomes.map(({ code }) => code), [0, 0]);
  assertEquals((await checkout.calls()).length, 1);
});

Deno.test("build shows the compiler's words when it fails, and fails again", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig", { onBuild: "echo 'root.zig:1: expected fn' >&2; exit 1" });
  for (let attempt = 1; attempt <= 2; attempt++) {
    const { code, stderr } = await checkout.build();
    assertEquals(code, 1);
    assertStringIncludes(stderr, "Cannot build the library");
    assertStringIncludes(stderr, "root.zig:1: expected fn");
    assertEquals((await checkout.calls()).length, attempt);
  }
});

Deno.test("build fails when build.zig installs no library", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig", { onBuild: "exit 0" });
  const { code, stderr } = await checkout.build();
  assertEquals(code, 1);
  assertMatch(stderr, /Cannot find ".*" after the build/);
});

Deno.test("build prefers $ZIG to zig/node_modules, and that to PATH", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig");
  await checkout.writeZig("zig/node_modules/.bin/zig");
  await checkout.writeZig("own/zig");
  await checkout.build(["--force"]);
  await checkout.build(["--force"], { ZIG: `${checkout.root}/own/zig` });
  const programs = (await checkout.calls()).map((call) => call.split(" ")[0]);
  assertEquals(programs, ["zig/node_modules/.bin/zig", "own/zig"]);
});

Deno.test("build refuses a $ZIG of another version or that is not there", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig");
  await checkout.writeZig("own/zig", { version: "0.15.2" });
  const old = await checkout.build([], { ZIG: `${checkout.root}/own/zig` });
  assertEquals(old.code, 1);
  assertStringIncludes(old.stderr, "expected Zig 0.16, found 0.15.2");
  const missing = await checkout.build([], { ZIG: `${checkout.root}/none` });
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "expected Zig 0.16, found no such program");
  assertEquals(await checkout.calls(), []);
});

Deno.test("build installs Zig with npm when PATH has none or another version", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig", { version: "0.15.2" });
  await checkout.writeZig("spare/zig");
  await checkout.writeProgram(
    "bin/npm",
    `echo "npm $*" >> calls; mkdir -p zig/node_modules/.bin
cp spare/zig zig/node_modules/.bin/zig`,
  );
  assertEquals((await checkout.build()).code, 0);
  const [install, build] = await checkout.calls();
  assertEquals(
    install,
    "npm install --prefix zig --ignore-scripts --no-package-lock --no-audit --no-fund",
  );
  assertEquals(build, "spare/zig build -Doptimize=ReleaseFast --prefix zig-out");
});

Deno.test("build says what to do without Zig, when npm is missing or fails", async () => {
  await using checkout = await Checkout.create();
  const missing = await checkout.build();
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "Cannot find Zig 0.16 nor npm to install it");
  await checkout.writeProgram("bin/npm", "echo 'no network' >&2; exit 1");
  const failing = await checkout.build();
  assertEquals(failing.code, 1);
  assertStringIncludes(failing.stderr, "Cannot install Zig with npm");
  assertStringIncludes(failing.stderr, "no network");
});

Deno.test("build installs LMDB's sources with npm when only the compiler is there", async () => {
  await using checkout = await Checkout.create();
  await checkout.writeZig("bin/zig");
  await Deno.remove(`${checkout.root}/zig/node_modules`, { recursive: true });
  const missing = await checkout.build();
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "Cannot find LMDB's sources nor npm to install it");
  await checkout.writeProgram("bin/npm", "true");
  const empty = await checkout.build();
  assertEquals(empty.code, 1);
  assertStringIncludes(empty.stderr, "expected LMDB's sources, found no file");
  await checkout.writeProgram(
    "bin/npm",
    `mkdir -p "$(dirname ${LMDB_SOURCE})"; touch ${LMDB_SOURCE}`,
  );
  assertEquals((await checkout.build()).code, 0);
  assertEquals(await checkout.calls(), [
    "bin/zig build -Doptimize=ReleaseFast --prefix zig-out",
  ]);
});

Deno.test("build refuses unknown arguments and explains itself", async () => {
  await using checkout = await Checkout.create();
  assertEquals((await checkout.build(["--fast"])).code, 2);
  const help = await checkout.build(["--help"]);
  assertEquals(help.code, 0);
  assertStringIncludes(help.stdout, "Usage: deno task build");
});

// What `zig build test --summary all` of Zig 0.16.0 printed for a project made for this purpose.
// Steps that fail stand above the summary too, with their messages, and must not count twice.
const SUMMARIES: [name: string, lines: string[], code: number, counts: number[]][] = [
  [
    "success",
    [
      "Build Summary: 5/5 steps succeeded; 3/4 tests passed (1 skipped)",
      "test success",
      "+- run test 2 pass, 1 skip (3 total) 6ms MaxRSS:5M",
      "|  +- compile test Debug native success 5s MaxRSS:309M",
      "+- run test 1 pass (1 total) 6ms MaxRSS:4M",
    ],
    0,
    [3, 0, 1],
  ],
  [
    "failures",
    [
      "Build Summary: 2/5 steps succeeded (2 failed); 4/7 tests passed (1 skipped, 1 failed)",
      "+- run test 2 pass, 1 skip, 1 fail (4 total); 1 leaks",
      "+- run test 2 pass, 1 crash (3 total)",
    ],
    1,
    [4, 2, 1],
  ],
  ["only a leak", ["Build Summary:", "+- run test 2 pass (2 total); 3 leaks"], 1, [1, 1, 0]],
  ["a timeout", ["Build Summary:", "+- run test 2 pass, 1 timeout (3 total)"], 1, [2, 1, 0]],
  [
    "a test binary that does not compile",
    [
      "Build Summary: 1/5 steps succeeded (2 failed); 2/2 tests passed",
      "+- run test 2 pass (2 total) 3ms",
      "+- run test transitive failure",
      "   +- compile test Debug native 1 errors",
    ],
    1,
    [2, 1, 0],
  ],
  ["a build.zig that does not compile", ["build.zig:3:1: error: expected"], 1, [0, 1, 0]],
  ["a failure that no line shows", ["Build Summary:", "+- run test 2 pass (2 total)"], 1, [
    2,
    1,
    0,
  ]],
  ["no tests at all", ["Build Summary:", "test success"], 0, [0, 1, 0]],
];

for (const [name, lines, code, counts] of SUMMARIES) {
  Deno.test(`countZigTests() counts ${name}`, () => {
    const output = ["test", "+- run test 7 pass, 7 fail (14 total)", "error: above", ...lines];
    const { passed, failed, skipped } = countZigTests(output.join("\n"), code);
    assertEquals([passed, failed, skipped], counts);
  });
}
