// A release on a web server of its own for each test, and programs that import it by URL in other
// processes, with no more permissions than docs/install.md asks for.

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { NativeLibraryError } from "../mod.ts";
import { releasedLibrary } from "../lib/native/binary.ts";
import { LIBRARIES, VERSION } from "../lib/native/_release.ts";
import { fileOf, writeDist } from "../scripts/_dist.ts";
import { type Ended, ROOT, runChild } from "./_support.ts";

const TARGET = `${Deno.build.arch}-linux-gnu`;
const BUILT = `${ROOT}zig-out/lib/libmessage_transport.so`;
const LIBRARY_PATH = `/native/${fileOf(TARGET)}`;

/** Runs STEPS, then prints the one message that it sends to itself; or the error. */
const PROGRAM = `
try {
  STEPS
  using channel = createChannel("url", { sizeBytes: 4096 });
  const consumer = openConsumer(channel);
  openProducer(channel).offer(new TextEncoder().encode("by URL"));
  consumer.poll((message) => console.log(message.text));
} catch (error) {
  console.log(\`\${error.name}: \${error.message}\`);
}`;

const INSTALL = "await installNativeLibrary();";

/** A release of the current library, served on loopback, and an empty cache. */
class Site implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly cache = `${this.directory}/cache`;
  /** Paths under which libraries were asked for. */
  readonly downloads: string[] = [];
  /** What the server answers in the place of a file, by path. */
  readonly answers = new Map<string, Response>();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => this.#answer(new URL(request.url).pathname),
  );

  static async open(): Promise<Site> {
    const site = new Site();
    await writeDist(`${site.directory}/dist`, [{ target: TARGET, path: BUILT }]);
    await Deno.mkdir(`${site.directory}/run`);
    return site;
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** The flags that docs/install.md names. */
  get flags(): Record<string, string> {
    return { net: this.host, read: this.cache, write: this.cache, env: "MT_*", ffi: this.cache };
  }

  /** Runs the program; `allow` has the names and values of its `--allow-` flags. */
  async run(
    steps: string,
    { allow = this.flags, env = {} }: {
      allow?: Record<string, string>;
      env?: Record<string, string>;
    } = {},
  ): Promise<Ended> {
    const path = `${this.directory}/program.ts`;
    const names = "createChannel, installNativeLibrary, openConsumer, openProducer";
    const module = `import { ${names} } from "http://${this.host}/mod.ts";`;
    await Deno.writeTextFile(path, module + PROGRAM.replace("STEPS", steps));
    const flags = Object.entries(allow).map(([name, value]) => `--allow-${name}=${value}`);
    return await runChild(
      [
        ...["run", "--no-prompt", "--no-config", "--no-lock", `--allow-import=${this.host}`],
        ...[...flags, path],
      ],
      {
        env: {
          DENO_DIR: `${this.directory}/deno`,
          XDG_RUNTIME_DIR: `${this.directory}/run`,
          MT_CACHE: this.cache,
          MT_LIB: "",
          ...env,
        },
      },
    );
  }

  /** Files of the cache, also those that should not be there. */
  cachedFiles(): string[] {
    try {
      const folder = `${this.cache}/${VERSION}`;
      return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async shutDown(): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(path: string): Promise<Response> {
    if (path.endsWith(".so")) this.downloads.push(path);
    const answer = this.answers.get(path);
    if (answer !== undefined) return answer;
    const headers = { "content-type": path.endsWith(".ts") ? "text/typescript" : "" };
    return new Response(await Deno.readFile(`${this.directory}/dist${path}`), { headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutDown();
    await Deno.remove(this.directory, { recursive: true });
  }
}

function assertPrints({ code, stdout, stderr }: Ended, text: string): void {
  assertEquals({ code, stdout, stderr: withoutDownloads(stderr) }, {
    code: 0,
    stdout: `${text}\n`,
    stderr: "",
  });
}

function assertRefused(ended: Ended, error: string, ...parts: string[]): void {
  assertEquals(ended.code, 0, ended.stderr);
  assert(ended.stdout.startsWith(`${error}: `), ended.stdout);
  for (const part of parts) assertStringIncludes(ended.stdout, part);
}

/** What Deno prints while it fetches modules. */
function withoutDownloads(stderr: string): string {
  return stderr.split("\n").filter((line) => !line.startsWith("Download http")).join("\n");
}

function damage(path: string): void {
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  Deno.writeFileSync(path, bytes);
}

Deno.test("installNativeLibrary() fetches once; afterwards no network is needed", async () => {
  await using site = await Site.open();
  assertPrints(await site.run(INSTALL), "by URL");
  assertPrints(await site.run(INSTALL), "by URL");
  assertEquals(site.downloads, [LIBRARY_PATH]);
  assertEquals(site.cachedFiles().map((path) => Deno.statSync(path).mode! & 0o777), [0o600]);
  assertEquals(Deno.statSync(site.cache).mode! & 0o777, 0o700);

  await site.shutDown();
  const { ffi, read, env } = site.flags as { ffi: string; read: string; env: string };
  assertPrints(await site.run("", { allow: { ffi, read, env } }), "by URL");
  assertPrints(await site.run(INSTALL, { allow: { ffi, read, env } }), "by URL");
});

Deno.test("createChannel() names the way out when the cache has no library", async () => {
  await using site = await Site.open();
  const ended = await site.run("");
  assertRefused(ended, "NativeLibraryError", "installNativeLibrary()", "MT_LIB", site.cache);
  assertEquals(site.downloads, []);
});

Deno.test("installNativeLibrary() keeps nothing of an answer that is not the release", async () => {
  await using site = await Site.open();
  const library = Deno.readFileSync(BUILT);
  const tampered = library.with(library.length >> 1, library[library.length >> 1]! ^ 1);
  const answers: [Response, string][] = [
    [new Response(tampered), "expected SHA-256"],
    [new Response(library.subarray(1)), `found ${library.length - 1}`],
    [new Response(new Blob([library, "."])), "found more"],
    [new Response("no such page", { status: 404 }), "found status 404"],
  ];
  for (const [answer, found] of answers) {
    site.answers.set(LIBRARY_PATH, answer);
    assertRefused(await site.run(INSTALL), "NativeLibraryError", found, LIBRARY_PATH);
    assertEquals(site.cachedFiles(), [], found);
  }
});

Deno.test("installNativeLibrary() says which server does not answer", async () => {
  await using site = await Site.open();
  await site.run(""); // Now Deno has the modules.
  await site.shutDown();
  const ended = await site.run(INSTALL);
  assertRefused(ended, "NativeLibraryError", site.host + LIBRARY_PATH, "libraryUrl", "MT_LIB");
});

Deno.test("createChannel() refuses a damaged copy, and installing mends it", async () => {
  await using site = await Site.open();
  await site.run(INSTALL);
  const [path] = site.cachedFiles();
  damage(path!);
  assertRefused(await site.run(""), "NativeLibraryError", "expected SHA-256", "install");
  Deno.truncateSync(path!, 100);
  assertRefused(await site.run(""), "NativeLibraryError", "found 100", "install");
  assertPrints(await site.run(INSTALL), "by URL");
  assertEquals(site.downloads.length, 2);
  assertEquals(site.cachedFiles(), [path]);
});

Deno.test("createChannel() refuses a copy that others could exchange", async () => {
  await using site = await Site.open();
  assertPrints(await site.run(INSTALL), "by URL");
  const [copy] = site.cachedFiles();
  const places = [site.cache, `${site.cache}/${VERSION}`, copy!];
  for (const [at, mode] of [0o777, 0o770, 0o622].entries()) {
    const place = places[at]!;
    const before = Deno.statSync(place).mode! & 0o7777;
    Deno.chmodSync(place, mode);
    const found = await site.run(at === 0 ? INSTALL : "");
    assertRefused(found, "NativeLibraryError", `found mode 0${mode.toString(8)} of "${place}"`);
    Deno.chmodSync(place, before);
  }
  assertPrints(await site.run(""), "by URL");
});

Deno.test("a module imported by URL passes on which permission is missing", async () => {
  await using site = await Site.open();
  for (const name of ["net", "read", "write", "ffi"]) {
    const { [name]: _, ...allow } = site.flags;
    assertRefused(await site.run(INSTALL, { allow }), "NotCapable", `--allow-${name}`);
  }
});

Deno.test("installNativeLibrary() takes a cache by option without --allow-env", async () => {
  await using site = await Site.open();
  const { env: _, ...allow } = site.flags;
  const refused = await site.run(INSTALL, { allow });
  assertRefused(refused, "NativeLibraryError", "MT_CACHE", "cacheDirectory");
  const options = JSON.stringify({ cacheDirectory: site.cache });
  assertPrints(await site.run(`await installNativeLibrary(${options});`, { allow }), "by URL");
});

Deno.test("the cache is in $XDG_CACHE_HOME or in $HOME when MT_CACHE is not set", async () => {
  await using site = await Site.open();
  const home = site.directory;
  const places = [
    { XDG_CACHE_HOME: `${home}/xdg`, folder: `${home}/xdg/message_transport` },
    { XDG_CACHE_HOME: "", folder: `${home}/.cache/message_transport` },
    { XDG_CACHE_HOME: "relative", folder: `${home}/.cache/message_transport` },
  ];
  for (const { XDG_CACHE_HOME, folder } of places) {
    const allow = { net: site.host, read: folder, write: folder, ffi: folder };
    const ended = await site.run(INSTALL, {
      allow: { ...allow, env: "MT_CACHE,XDG_CACHE_HOME,HOME" },
      env: { MT_CACHE: "", XDG_CACHE_HOME, HOME: home },
    });
    assertPrints(ended, "by URL");
    assert(Deno.statSync(`${folder}/${VERSION}`).isDirectory);
  }
});

Deno.test("installNativeLibrary() fetches from another place by libraryUrl", async () => {
  await using site = await Site.open();
  site.answers.set("/mirror.so", new Response(Deno.readFileSync(BUILT)));
  const options = JSON.stringify({ libraryUrl: `http://${site.host}/mirror.so` });
  assertPrints(await site.run(`await installNativeLibrary(${options});`), "by URL");
  assertEquals(site.downloads, ["/mirror.so"]);
});

Deno.test("MT_LIB is used as it is, without a cache or a network", async () => {
  await using site = await Site.open();
  const ended = await site.run(`console.log(${INSTALL.slice(0, -1)});`, {
    allow: { env: "MT_LIB", ffi: `${ROOT}zig-out` },
    env: { MT_LIB: BUILT },
  });
  assertPrints(ended, `${BUILT}\nby URL`);
});

Deno.test("releasedLibrary() knows the machines of the release and refuses others", () => {
  assertEquals(releasedLibrary("x86_64-unknown-linux-gnu"), LIBRARIES["x86_64-linux-gnu"]);
  assertEquals(releasedLibrary("aarch64-unknown-linux-gnu"), LIBRARIES["aarch64-linux-gnu"]);
  const others = ["x86_64-alpine-linux-musl", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"];
  for (const machine of others) {
    const { message } = assertThrows(() => releasedLibrary(machine), NativeLibraryError);
    const target = machine.replace(/-[a-z]+/, "");
    for (const part of [target, ...Object.keys(LIBRARIES), "MT_LIB", "deno task build"]) {
      assertStringIncludes(message, part);
    }
  }
});

Deno.test("the committed list of libraries is of the version in deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  assertEquals(VERSION, version, `run "deno task release"`);
});
