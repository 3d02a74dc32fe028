/**
 * What the doctor says of one thing.
 *
 * @module
 */

/**
 * `ok`; `warn`: it works, but slower, or something is at risk; `fail`: it does not work, or does
 * not keep what it promises.
 */
export type Verdict = "ok" | "warn" | "fail";

/** One line of the doctor's. */
export interface Line {
  /** Group of the line. */
  area: "memory" | "disk" | "cores" | "kernel" | "versions";
  /** What was looked at; docs/operations.md has a row for each. */
  name: string;
  /** What to think of it. */
  verdict: Verdict;
  /** What was found. */
  found: string;
  /** What to do; empty if nothing is to be done. */
  fix: string;
}

/** Makes the lines of an area. */
export class Lines {
  readonly lines: Line[] = [];
  readonly #area: Line["area"];

  constructor(area: Line["area"]) {
    this.#area = area;
  }

  /** Adds a line that asks for nothing. */
  ok(name: string, found: string): void {
    this.#add(name, "ok", found, "");
  }

  /** Adds a line about what is slow, or at risk. */
  warn(name: string, found: string, fix: string): void {
    this.#add(name, "warn", found, fix);
  }

  /** Adds a line about what does not work. */
  fail(name: string, found: string, fix: string): void {
    this.#add(name, "fail", found, fix);
  }

  #add(name: string, verdict: Verdict, found: string, fix: string): void {
    this.lines.push({ area: this.#area, name, verdict, found, fix });
  }
}

/** Returns the worst verdict. */
export function worstOf(lines: readonly Line[]): Verdict {
  const has = (wanted: Verdict) => lines.some(({ verdict }) => verdict === wanted);
  return has("fail") ? "fail" : has("warn") ? "warn" : "ok";
}

/** `1 failure, 2 warnings (cores, governor powersave, …)`; `ok` if there is nothing to tell. */
export function summaryOf(lines: readonly Line[]): string {
  const told = lines.filter(({ verdict }) => verdict !== "ok")
    .toSorted((a, b) => Number(b.verdict === "fail") - Number(a.verdict === "fail"));
  if (told.length === 0) return "ok";
  const fails = told.filter(({ verdict }) => verdict === "fail").length;
  const warnings = told.length - fails;
  const counts = [count(fails, "failure"), count(warnings, "warning")].filter((text) => text);
  return `${counts.join(", ")} (${told.map(nameOf).join(", ")})`;
}

/** With what was found where that is a word or a share. */
function nameOf({ name, found }: Line): string {
  const word = /^[\w.-]+(?: %)?(?=[:;,]|$)/.exec(found)?.[0];
  return word === undefined ? name : `${name} ${word}`;
}

function count(value: number, noun: string): string {
  return value === 0 ? "" : `${value} ${noun}${value === 1 ? "" : "s"}`;
}
