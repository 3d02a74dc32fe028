/**
 * The tree rules about imports: no cycles, one direction, nothing from outside in the library.
 *
 * @module
 */

import type { Token } from "./_lexer.ts";
import type { Finding, SourceFile } from "./_source_file.ts";

interface Import {
  /** As it stands in the source. */
  specifier: string;
  /** The path from the root, or `undefined` if it comes from outside. */
  target: string | undefined;
  line: number;
}

type Imports = Map<string, Import[]>;

// Beginnings of paths from the bottom to the top, as docs/style.md draws it; what shares a line may
// import each other.
const LAYERS = [
  ["lib/errors.ts"],
  ["lib/native/"],
  ["lib/channel/"],
  ["lib/durability/"],
  ["lib/replication/"],
  ["lib/observability/"],
  ["lib/web_socket/"],
  ["lib/market/", "lib/exchange/"],
  ["mod.ts"],
  ["scripts/_"],
  ["scripts/page/", "scripts/doctor/", "scripts/records/", "scripts/load/"],
  ["scripts/inspector/"],
  ["scripts/services/"],
  ["scripts/demo", "scripts/metrics/"],
  ["scripts/cli/", "scripts/soak/"],
  ["scripts/", "bench/"],
  ["tests/", "testing/"],
];

/** Checks the rules about imports of the whole tree. */
export function checkImports(files: SourceFile[]): Finding[] {
  const imports: Imports = new Map(files.map((file) => [file.path, importsOf(file)]));
  return [
    ...checkLayers(imports),
    ...checkLibraryGraph(imports),
    ...checkCycles(imports),
  ];
}

function importsOf(file: SourceFile): Import[] {
  const specifiers = file.isTypeScript
    ? file.code.filter((token, place, all) => isTypeScriptImport(token, place, all))
    : file.code.filter((token, place, all) =>
      all[place - 1]?.text === "(" && all[place - 2]?.text === "@import" &&
      token.text.endsWith('.zig"') && !file.isInTest(token.line)
    );
  return specifiers.map(({ text, line }) => {
    const specifier = text.slice(1, -1);
    const isLocal = file.isZig || /^\.\.?\//.test(specifier);
    return { specifier, target: isLocal ? resolve(file.path, specifier) : undefined, line };
  });
}

/** Tells whether a string is what `import`, `export … from` or `import()` names. */
function isTypeScriptImport(token: Token, place: number, all: Token[]): boolean {
  if (token.kind !== "string") return false;
  const [before, first] = [all[place - 1], all[place - 2]];
  if (before?.text === "(") return first?.text === "import";
  if (before?.kind !== "name") return false;
  return before.text === "import" ||
    before.text === "from" &&
      (first?.kind === "name" || first?.text === "}" || first?.text === "*");
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function layerOf(path: string): number {
  return LAYERS.findIndex((layer) => layer.some((place) => path.startsWith(place)));
}

function* checkLayers(imports: Imports): Iterable<Finding> {
  for (const [path, list] of imports) {
    const layer = layerOf(path);
    if (layer === -1) {
      if (!/^lib\/.*\.ts$/.test(path)) continue;
      const text = "file without a place in the order of imports: move it into a folder of lib/";
      yield { path, line: 1, text };
      continue;
    }
    for (const { target, line } of list) {
      if (target === undefined || layerOf(target) <= layer) continue;
      const text = `imports ${target}, which is above it: move what both need down`;
      yield { path, line, text };
    }
  }
}

/** A module that is imported by URL may not need an import map or a registry. */
function* checkLibraryGraph(imports: Imports): Iterable<Finding> {
  const reached = new Set(["mod.ts"]);
  for (const path of reached) {
    for (const { specifier, target, line } of imports.get(path) ?? []) {
      if (target !== undefined) reached.add(target);
      else if (!specifier.startsWith("node:")) {
        const text = `imports "${specifier}", and mod.ts reaches it: use a file of lib/`;
        yield { path, line, text };
      }
    }
  }
}

/** Reports each cycle once, at its first file by name. */
function* checkCycles(imports: Imports): Iterable<Finding> {
  const done = new Set<string>();
  for (const start of imports.keys()) {
    const trail = findTrail(imports, start, done);
    if (trail !== undefined) {
      const path = trail[0]!;
      const line = imports.get(path)?.find(({ target }) => target === trail[1])?.line ?? 1;
      yield {
        path,
        line,
        text: `import cycle ${trail.join(" → ")}: move what both need into a third file`,
      };
    }
    done.add(start);
  }
}

/** Finds the shortest way from a file back to itself around files that are done with. */
function findTrail(imports: Imports, start: string, done: Set<string>): string[] | undefined {
  const trails = new Map([[start, [start]]]);
  for (const [path, trail] of trails) {
    for (const { target } of imports.get(path) ?? []) {
      if (target === start) return [...trail, start];
      if (target === undefined || done.has(target) || trails.has(target)) continue;
      trails.set(target, [...trail, target]);
    }
  }
  return undefined;
}
