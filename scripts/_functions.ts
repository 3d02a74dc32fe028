/**
 * Where functions and Zig tests begin and end, found by braces and by what stands before them.
 *
 * @module
 */

import type { Token } from "./_lexer.ts";

/** A function or a test. Lines count from 1. */
export interface Extent {
  name: string;
  kind: "function" | "test";
  firstLine: number;
  lastLine: number;
}

/** Tokens without comments, with the partner and the surrounding bracket of each. */
class Code {
  readonly tokens: Token[];
  /** For a bracket the place of its partner. */
  readonly partner: number[] = [];
  /** For each token the place of the innermost open bracket around it, or -1. */
  readonly outer: number[] = [];

  constructor(tokens: Token[]) {
    this.tokens = tokens.filter((token) => token.kind !== "comment");
    const open: number[] = [];
    for (const [place, { kind, text }] of this.tokens.entries()) {
      const begin = kind === "symbol" && ")]}".includes(text) ? open.pop() : undefined;
      if (begin !== undefined) {
        this.partner[begin] = place;
        this.partner[place] = begin;
      }
      this.outer[place] = open.at(-1) ?? -1;
      if (kind === "symbol" && "([{".includes(text)) open.push(place);
    }
  }

  /** The text of a token that is no string; empty beyond both ends. */
  text(place: number): string {
    const token = this.tokens[place];
    return token === undefined || token.kind === "string" ? "" : token.text;
  }

  line(place: number): number {
    return this.tokens[place]?.line ?? 0;
  }

  /** The name that ends at a place, which may be a computed one: `[Symbol.iterator]`. */
  nameAt(place: number): string {
    const first = this.text(place) === "]" ? this.partner[place] ?? place : place;
    return this.tokens.slice(first, place + 1).map((token) => token.text).join("");
  }

  extent(name: string, kind: Extent["kind"], first: number, brace: number): Extent {
    const last = this.partner[brace] ?? this.tokens.length - 1;
    return { name, kind, firstLine: this.line(first), lastLine: this.line(last) };
  }
}

const CONTROL = new Set(["if", "for", "while", "switch", "catch", "with", "await"]);

// A name with parameters and a body is a method or a function only after one of these.
const BEFORE_METHOD = new Set([
  ...["", "{", "}", ";", ",", ")", "*", "function", "async", "get", "set", "static", "public"],
  ...["private", "protected", "override", "readonly", "abstract", "declare", "export", "default"],
]);

// Reading back from a brace over a return type, one of these means that there is none.
const NO_RETURN_TYPE = new Set([
  ...[
    "",
    ";",
    "=",
    "(",
    "[",
    "{",
    "?",
    "class",
    "interface",
    "enum",
    "namespace",
    "module",
    "else",
  ],
  ...["try", "finally", "do", "return", "case", "default", "type", "static", "export", "import"],
  ...["declare"],
]);

/** Lists the functions, methods and arrow functions with a body of a TypeScript source. */
export function findTypeScriptFunctions(tokens: Token[]): Extent[] {
  const code = new Code(tokens);
  const extents: Extent[] = [];
  for (let brace = 0; brace < code.tokens.length; brace++) {
    if (code.text(brace) !== "{") continue;
    if (code.text(brace - 1) === "=>") {
      if (!isGroup(code, brace)) {
        extents.push(code.extent(arrowName(code, brace), "function", brace - 1, brace));
      }
      continue;
    }
    const name = methodName(code, brace);
    if (name !== undefined) {
      extents.push(code.extent(code.nameAt(name), "function", name, brace));
    }
  }
  return extents;
}

/** Tells whether an arrow function is the body of `describe`: a list of tests, no function. */
function isGroup(code: Code, brace: number): boolean {
  const call = code.outer[brace] ?? -1;
  return code.text(call) === "(" &&
    (code.text(call - 1) === "describe" ||
      (code.text(call - 2) === "." && code.text(call - 3) === "describe"));
}

/** Names an arrow function after what it is assigned or passed to. */
function arrowName(code: Code, brace: number): string {
  const call = code.outer[brace] ?? -1;
  for (let place = brace - 2; place > call; place--) {
    if (code.text(place) === "=" || code.text(place) === ":") {
      const name = code.tokens[place - 1];
      if (code.text(place) === "=" && name?.kind === "name") return name.text;
    }
  }
  const callee = code.tokens[call - 1];
  return callee?.kind === "name" ? `passed to ${callee.text}` : "without a name";
}

/** Returns the place of the name of the function whose body a brace opens, if it does. */
function methodName(code: Code, brace: number): number | undefined {
  const parameters = parametersBefore(code, brace);
  if (parameters === undefined) return undefined;
  const name = skipTypeParameters(code, parameters - 1);
  const token = code.tokens[name];
  if (token === undefined) return undefined;
  if (token.text === "function") return name;
  if (token.text === "*" && code.text(name - 1) === "function") return name;
  const isComputed = code.text(name) === "]";
  if (!isComputed && token.kind !== "name" && token.kind !== "string") return undefined;
  if (CONTROL.has(code.text(name))) return undefined;
  const first = isComputed ? code.partner[name] ?? name : name;
  return BEFORE_METHOD.has(code.text(first - 1)) ? name : undefined;
}

/** Returns the place of the `(` of a parameter list that ends before a brace. */
function parametersBefore(code: Code, brace: number): number | undefined {
  const before = code.tokens[brace - 1];
  if (before?.text === ")") return code.partner[brace - 1];
  // A type ends with a name, a literal or one of these; after ":" or "|" the brace is a type.
  if (before?.kind === "symbol" && !/^[\]>}]$/.test(before.text)) return undefined;
  for (let place = brace - 1; place >= 0; place--) {
    const text = code.text(place);
    if (text === ")" && code.text(place + 1) === ":") return code.partner[place];
    if (NO_RETURN_TYPE.has(text) && code.tokens[place]?.kind !== "string") return undefined;
    if (text === ")" || text === "]" || text === "}") {
      const partner = code.partner[place];
      if (partner === undefined) return undefined;
      place = partner;
    }
  }
  return undefined;
}

/** Goes back over `<T, U>`. */
function skipTypeParameters(code: Code, place: number): number {
  if (code.text(place) !== ">") return place;
  let depth = 0;
  for (let at = place; at >= 0; at--) {
    if (code.text(at) === ">") depth++;
    if (code.text(at) === "<" && --depth === 0) return at - 1;
  }
  return place;
}

/**
 * Lists the functions and tests of a Zig source. A function that returns `type` is left out: its
 * body is the declarations of that type.
 */
export function findZigFunctions(tokens: Token[]): Extent[] {
  const code = new Code(tokens);
  const extents: Extent[] = [];
  for (let place = 0; place < code.tokens.length; place++) {
    const next = code.tokens[place + 1];
    if (code.text(place) === "fn" && next?.kind === "name") {
      const brace = zigBody(code, place + 2);
      if (brace === undefined || code.text(brace - 1) === "type") continue;
      extents.push(code.extent(next.text, "function", place, brace));
    }
    const brace = code.text(place + 1) === "{" ? place + 1 : place + 2;
    const isTest = code.text(place) === "test" && code.text(brace) === "{" &&
      ["", "{", "}", ";", ","].includes(code.text(place - 1));
    if (isTest) extents.push(code.extent(next?.text ?? "", "test", place, brace));
  }
  return extents;
}

const ZIG_CONTAINERS = new Set(["error", "struct", "enum", "union", "opaque"]);

/** Returns the place of the brace that opens the body of a function with these parameters. */
function zigBody(code: Code, parameters: number): number | undefined {
  let place = (code.partner[parameters] ?? code.tokens.length) + 1;
  for (; place < code.tokens.length; place++) {
    const text = code.text(place);
    if ([";", ",", "=", ")", "}", "]"].includes(text)) return undefined;
    if (text === "{" && !isZigType(code, place)) return place;
    if (["(", "[", "{"].includes(text)) place = code.partner[place] ?? code.tokens.length;
  }
  return undefined;
}

/** Tells whether a brace in a return type opens a container: `error{A}`, `enum(u8) {}`. */
function isZigType(code: Code, brace: number): boolean {
  const before = code.text(brace - 1) === ")" ? (code.partner[brace - 1] ?? 0) - 1 : brace - 1;
  return ZIG_CONTAINERS.has(code.text(before));
}
