/**
 * The tree rules that look at one file at a time.
 *
 * @module
 */

import type { Token } from "./_lexer.ts";
import type { Finding, SourceFile } from "./_source_file.ts";

// The sizes of docs/style.md: what a reader sees at once, on one screen, in one sitting.
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;
const TYPESCRIPT_LINES_MAX = 400;
const ZIG_LINES_MAX = 600;

// Assembled, so that the rule does not find its own words.
const UNFINISHED = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);

const POINTER_NAMES = new Set(
  ["dlopen", "UnsafePointer", "UnsafePointerView", "UnsafeCallback", "UnsafeFnPointer"],
);

/** Checks the rules for single files. */
export function checkFile(file: SourceFile): Finding[] {
  const rules = [
    checkLines,
    checkFileLength,
    checkFunctions,
    checkUnfinished,
    checkPointers,
    checkPrinting,
    checkOffsets,
    checkTestName,
  ];
  return rules.flatMap((rule) => [...rule(file)]).map((found) => ({ path: file.path, ...found }));
}

type Found = Iterable<Omit<Finding, "path">>;

function* checkLines(file: SourceFile): Found {
  const isFree = /\.(md|json)$|^LICENSE$/.test(file.path) || file.isGenerated;
  for (const [index, text] of file.lines.entries()) {
    const line = index + 1;
    if (/\s$/.test(text)) yield { line, text: "trailing white space: remove it" };
    const columns = [...text].length;
    if (!isFree && columns > LINE_COLUMNS_MAX) {
      yield { line, text: `line of ${columns} columns: break it at ${LINE_COLUMNS_MAX}` };
    }
  }
}

function* checkFileLength(file: SourceFile): Found {
  if (file.isGenerated || !(file.isTypeScript || file.isZig)) return;
  const max = file.isZig ? ZIG_LINES_MAX : TYPESCRIPT_LINES_MAX;
  const lines = file.lines.filter((_, index) => !file.isInTest(index + 1)).length;
  const unit = file.isZig ? "lines without tests" : "lines";
  if (lines > max) yield { line: 1, text: `file of ${lines} ${unit}: split it below ${max}` };
}

function* checkFunctions(file: SourceFile): Found {
  for (const { name, kind, firstLine, lastLine } of file.functions) {
    const lines = lastLine - firstLine + 1;
    if (lines <= FUNCTION_LINES_MAX) continue;
    const text = `${kind} ${name} of ${lines} lines: split it below ${FUNCTION_LINES_MAX}`;
    yield { line: firstLine, text };
  }
}

/** Marks of unfinished work; one with an owner or a number, as in `(#12)`, may stay. */
function* checkUnfinished(file: SourceFile): Found {
  const isCode = file.isTypeScript || file.isZig;
  if (!isCode && !/\.sh$|^\.ci\//.test(file.path)) return;
  const places = isCode
    ? file.tokens.filter((token) => token.kind === "comment")
    : file.lines.map((text, index) => ({ text, line: index + 1 }));
  for (const { text, line } of places) {
    for (const [index, part] of text.split("\n").entries()) {
      const mark = UNFINISHED.exec(part);
      if (mark === null || /^\([#\w]+\)/.test(part.slice(mark.index + mark[0].length))) continue;
      yield { line: line + index, text: `${mark[0]}: do it, or give it an owner or a number` };
    }
  }
}

function* checkPointers(file: SourceFile): Found {
  // The benchmarks' native loops are a library of their own; no library makes calls to be refused.
  const places = ["lib/native/", "bench/_native.ts", "tests/_confined_child.ts"];
  if (!file.isTypeScript || file.isIn(...places)) return;
  for (const [token, before, first] of withTwoBefore(file.code)) {
    if (first.text !== "Deno" || before.text !== "." || !POINTER_NAMES.has(token.text)) continue;
    const text = `Deno.${token.text} outside of lib/native/: call a function from there`;
    yield { line: token.line, text };
  }
}

function* checkPrinting(file: SourceFile): Found {
  const isLibrary = file.isIn("lib/") || file.path === "mod.ts";
  const isZigCode = file.isIn("zig/") && !file.isIn("zig/gen/", "zig/testing/");
  for (const [token, before, first] of withTwoBefore(file.code)) {
    if (isLibrary && before.text === "console" && token.text === "." && first.text !== ".") {
      yield { line: token.line, text: "console in the library: throw, return or count it" };
    }
    const isPrint = first.text === "debug" && before.text === "." && token.text === "print";
    if (isZigCode && isPrint && !file.isInTest(token.line)) {
      yield { line: token.line, text: "std.debug.print: return a status or count it" };
    }
  }
}

/**
 * Offsets of the shared layout come from `_layout.ts`. Found are those that surely are offsets:
 * literal arguments of DataView accessors, and constants named so.
 */
function* checkOffsets(file: SourceFile): Found {
  if (!file.isIn("lib/") || !file.isTypeScript || file.isGenerated) return;
  for (const [token, before, first] of withTwoBefore(file.code)) {
    if (token.kind !== "number" || /^0(x0+)?n?$/.test(token.text)) continue;
    const isArgument = before.text === "(" &&
      /^[gs]et(Int|Uint|BigInt|BigUint|Float)\d+$/.test(first.text);
    const isConstant = before.text === "=" && /_OFFSET$/.test(first.text);
    if (!isArgument && !isConstant) continue;
    const text = `${token.text} as an offset: take the constant from lib/native/_layout.ts`;
    yield { line: token.line, text };
  }
}

function* checkTestName(file: SourceFile): Found {
  if (!file.isTypeScript || file.path.endsWith("_test.ts") || file.isIn("testing/")) return;
  if (file.path.endsWith("/_support.ts")) return; // Makes tests for those that import it.
  for (const [token, before, first] of withTwoBefore(file.code)) {
    const isTest = first.text === "Deno" && before.text === "." && token.text === "test";
    const isBdd = token.kind === "string" && /^.(@std\/testing\/bdd|node:test).$/.test(token.text);
    if (!isTest && !isBdd) continue;
    yield { line: token.line, text: `tests in ${file.path}: name the file …_test.ts` };
    return;
  }
}

const NOTHING: Token = { kind: "symbol", text: "", line: 0 };

/** Each token with the one before it and the one before that. */
function* withTwoBefore(tokens: Token[]): Iterable<[Token, Token, Token]> {
  for (const [place, token] of tokens.entries()) {
    yield [token, tokens[place - 1] ?? NOTHING, tokens[place - 2] ?? NOTHING];
  }
}
