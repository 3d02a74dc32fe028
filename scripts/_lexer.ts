/**
 * Tokens of TypeScript and Zig sources, as far as the tree rules need them: strings, comments and
 * patterns are recognised, so that a brace or a word inside them is not taken for code.
 *
 * @module
 */

/** What a token is. A template string is one `string` token per piece of text in it. */
export type TokenKind = "comment" | "name" | "number" | "pattern" | "string" | "symbol";

/** A piece of source text. */
export interface Token {
  kind: TokenKind;
  /** As it stands in the source; strings with their quotes. */
  text: string;
  /** Line of its first character, from 1. */
  line: number;
}

const TYPESCRIPT = new RegExp(
  [
    /(?<space>\s+)/,
    /(?<comment>\/\/[^\n]*|\/\*[^]*?\*\/|^#![^\n]*)/,
    /(?<string>"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*')/,
    /(?<number>0[xXoObB][\da-fA-F_]+n?|(?:\d[\d_]*(?:\.[\d_]+)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?n?)/,
    /(?<name>[#@]?[\p{ID_Start}$_][\p{ID_Continue}$]*)/u,
    /(?<symbol>=>|\.\.\.|[^])/,
  ].map((part) => part.source).join("|"),
  "yu",
);

const ZIG = new RegExp(
  [
    /(?<space>\s+)/,
    /(?<comment>\/\/[^\n]*)/,
    /(?<string>\\\\[^\n]*|"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])+')/,
    /(?<number>0[xob][\da-fA-F_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)/,
    /(?<name>@"(?:[^"\\\n]|\\[^])*"|@?[A-Za-z_]\w*)/,
    /(?<symbol>=>|[^])/,
  ].map((part) => part.source).join("|"),
  "yu",
);

const PATTERN = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/yu;
const TEMPLATE_TEXT = /(?:[^`\\$]|\\[^]|\$(?!\{))*(?:`|\$\{)/yu;

// After one of these words a slash begins a pattern; after any other name it divides.
const BEFORE_PATTERN = new Set(
  ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "await", "yield"],
);

/** Splits a Zig source into tokens. */
export function tokenizeZig(source: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  for (let index = 0; index < source.length;) {
    const token = match(ZIG, source, index, line);
    if (token.kind !== "space") tokens.push(token as Token);
    index += token.text.length;
    line += countLines(token.text);
  }
  return tokens;
}

/** Splits a TypeScript source into tokens. */
export function tokenizeTypeScript(source: string): Token[] {
  const tokens: Token[] = [];
  const braces: ("code" | "template")[] = []; // What each open brace belongs to.
  let line = 1;
  let index = 0;
  const take = (token: Token | { kind: "space"; text: string }) => {
    if (token.kind !== "space") tokens.push(token);
    index += token.text.length;
    line += countLines(token.text);
  };
  while (index < source.length) {
    const character = source[index];
    const endsHole = character === "}" && braces.at(-1) === "template";
    if (character === "`" || endsHole) {
      if (endsHole) braces.pop();
      TEMPLATE_TEXT.lastIndex = index + 1;
      const text = character + (TEMPLATE_TEXT.exec(source)?.[0] ?? source.slice(index + 1));
      if (text.endsWith("${")) braces.push("template");
      take({ kind: "string", text, line });
      continue;
    }
    const token = match(TYPESCRIPT, source, index, line);
    if (token.text === "/" && mayBeginPattern(tokens)) {
      PATTERN.lastIndex = index;
      const text = PATTERN.exec(source)?.[0];
      take(text === undefined ? token : { kind: "pattern", text, line });
      continue;
    }
    if (token.text === "{") braces.push("code");
    if (token.text === "}") braces.pop();
    take(token);
  }
  return tokens;
}

function match(
  language: RegExp,
  source: string,
  index: number,
  line: number,
): Token | { kind: "space"; text: string } {
  language.lastIndex = index;
  const groups = language.exec(source)?.groups ?? {};
  for (const kind of ["comment", "name", "number", "string", "symbol"] as const) {
    const text = groups[kind];
    if (text !== undefined) return { kind, text, line };
  }
  return { kind: "space", text: groups.space ?? source.slice(index, index + 1) };
}

function mayBeginPattern(tokens: Token[]): boolean {
  const before = tokens.findLast((token) => token.kind !== "comment");
  if (before === undefined) return true;
  if (before.kind === "name") return BEFORE_PATTERN.has(before.text);
  return before.kind === "symbol" && !/^[)\]}]$/.test(before.text);
}

function countLines(text: string): number {
  return text.split("\n").length - 1;
}
