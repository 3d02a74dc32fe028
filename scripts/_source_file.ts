/**
 * The files of the tree that the tree rules read.
 *
 * @module
 */

import { type Extent, findTypeScriptFunctions, findZigFunctions } from "./_functions.ts";
import { type Token, tokenizeTypeScript, tokenizeZig } from "./_lexer.ts";

/** Something that breaks a rule of the tree. */
export interface Finding {
  /** Path from the root of the tree. */
  path: string;
  /** From 1. */
  line: number;
  /** What is wrong, and how to mend it. */
  text: string;
}

const SKIPPED_FOLDERS = new Set(
  [".git", ".zig-cache", "coverage", "dist", "node_modules", "testdata", "zig-out"],
);
const TEXT = /\.(ts|js|zig|zon|md|json|html|css|yml|yaml|toml|sh|service)$|^[A-Z]+$|^\.ci\/run$/;

/** A text file with its tokens and functions, if it is TypeScript or Zig. */
export class SourceFile {
  readonly path: string;
  readonly lines: string[];
  readonly tokens: Token[] = [];
  readonly functions: Extent[] = [];

  constructor(path: string, text: string) {
    this.path = path;
    this.lines = text.replace(/\n$/, "").split("\n");
    if (this.isTypeScript) {
      this.tokens = tokenizeTypeScript(text);
      this.functions = findTypeScriptFunctions(this.tokens);
    } else if (this.isZig) {
      this.tokens = tokenizeZig(text);
      this.functions = findZigFunctions(this.tokens);
    }
  }

  get isTypeScript(): boolean {
    return this.path.endsWith(".ts");
  }

  get isZig(): boolean {
    return this.path.endsWith(".zig");
  }

  /** Whether a program wrote it: the name begins with `_` and the first line says so. */
  get isGenerated(): boolean {
    return /(^|\/)_[^/]*$/.test(this.path) && /\bgenerated\b/i.test(this.lines[0] ?? "");
  }

  /** Whether it stands in one of these folders, given with a slash at the end. */
  isIn(...folders: string[]): boolean {
    return folders.some((folder) => this.path.startsWith(folder));
  }

  /** The tokens that are no comments. */
  get code(): Token[] {
    return this.tokens.filter((token) => token.kind !== "comment");
  }

  /** Whether a line belongs to a test in a Zig file. */
  isInTest(line: number): boolean {
    return this.functions.some((extent) =>
      extent.kind === "test" && extent.firstLine <= line && line <= extent.lastLine
    );
  }
}

/** Reads every text file below `root`, without what tools made and test data, sorted by path. */
export async function readTree(root: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const { name, isDirectory, isFile } of Deno.readDir(`${root}/${folder}`)) {
      const path = `${folder}${name}`;
      if (isDirectory && !SKIPPED_FOLDERS.has(name)) folders.push(`${path}/`);
      if (isFile && TEXT.test(path)) {
        files.push(new SourceFile(path, await Deno.readTextFile(`${root}/${path}`)));
      }
    }
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}
