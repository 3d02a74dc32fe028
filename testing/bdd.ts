/**
 * A stand-in for `@std/testing/bdd`: `describe`, `it` and their hooks, over `Deno.test`.
 *
 * Not over `node:test`, which Deno runs without its sanitizers, so that a test which leaks a timer
 * or a file would pass. As with the real module (`deno.std.json` maps to it), one outermost
 * `describe` is one Deno test and everything in it a step, and what leaks fails that test.
 *
 * What it does not do: hooks outside of `describe`, `only`, options other than `ignore`, and
 * adding to a group from outside of its function.
 *
 * @module
 */

type Hook = () => unknown;
type Body = (t: Deno.TestContext) => void | Promise<void>;

/** A test or a group in one object, for those that are ignored on a condition. */
export interface Definition<F> {
  name: string;
  fn: F;
  ignore?: boolean;
}

interface Case extends Definition<Body> {
  kind: "case";
}

interface Suite {
  kind: "suite";
  name: string;
  ignore: boolean;
  children: (Case | Suite)[];
  beforeAll: Hook[];
  afterAll: Hook[];
  beforeEach: Hook[];
  afterEach: Hook[];
}

/** The group whose function is running, to which tests, groups and hooks are added. */
let current: Suite | undefined;

/** Groups tests. The function runs at once and adds tests, groups and hooks; it is not async. */
export function describe(name: string, fn: () => void): void;
export function describe(definition: Definition<() => void>): void;
export function describe(first: string | Definition<() => void>, fn?: () => void): void {
  addSuite(definitionFrom(first, fn));
}

/** Groups tests that are reported as ignored. */
describe.ignore = function ignore(name: string, fn: () => void): void {
  addSuite({ name, fn, ignore: true });
};
describe.skip = describe.ignore;

/** Adds a test: a step of the group it stands in, or a Deno test outside of one. */
export function it(name: string, fn: Body): void;
export function it(definition: Definition<Body>): void;
export function it(first: string | Definition<Body>, fn?: Body): void {
  addCase(definitionFrom(first, fn));
}

/** Adds a test that is reported as ignored. */
it.ignore = function ignore(name: string, fn: Body): void {
  addCase({ name, fn, ignore: true });
};
it.skip = it.ignore;

/** Adds a function that runs once, before the first test of the group. */
export function beforeAll(fn: Hook): void {
  suiteFor("beforeAll").beforeAll.push(fn);
}

/** Adds a function that runs once, after the last test of the group, passed or not. */
export function afterAll(fn: Hook): void {
  suiteFor("afterAll").afterAll.push(fn);
}

/** Adds a function that runs before each test of the group and of the groups within. */
export function beforeEach(fn: Hook): void {
  suiteFor("beforeEach").beforeEach.push(fn);
}

/** Adds a function that runs after each test of the group and of the groups within. */
export function afterEach(fn: Hook): void {
  suiteFor("afterEach").afterEach.push(fn);
}

export { afterAll as after, beforeAll as before, it as test };

function definitionFrom<F>(first: string | Definition<F>, fn: F | undefined): Definition<F> {
  if (typeof first !== "string") return first;
  if (fn === undefined) throw new TypeError(`Cannot add "${first}" as it has no function`);
  return { name: first, fn };
}

function suiteFor(hook: string): Suite {
  if (current === undefined) throw new TypeError(`Cannot add ${hook} outside of describe`);
  return current;
}

function addCase(definition: Definition<Body>): void {
  const { name, fn, ignore = false } = definition;
  if (current === undefined) Deno.test({ name, fn, ignore });
  else current.children.push({ kind: "case", name, fn, ignore });
}

function addSuite({ name, fn, ignore = false }: Definition<() => void>): void {
  const outer = current;
  const hooks = { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] };
  const suite: Suite = { kind: "suite", name, ignore, children: [], ...hooks };
  current = suite;
  try {
    const result: unknown = fn();
    if (result instanceof Promise) throw new TypeError(`Cannot describe "${name}" asynchronously`);
  } finally {
    current = outer;
  }
  if (outer === undefined) Deno.test({ name, ignore, fn: (t) => runSuite(suite, [suite], t) });
  else outer.children.push(suite);
}

/** Runs a group whose path from the outermost group down to itself is `path`. */
async function runSuite(suite: Suite, path: Suite[], t: Deno.TestContext): Promise<void> {
  try {
    for (const hook of suite.beforeAll) await hook();
    for (const child of suite.children) {
      const fn: Body = child.kind === "suite"
        ? (step) => runSuite(child, [...path, child], step)
        : (step) => runCase(child, path, step);
      await t.step({ name: child.name, ignore: child.ignore ?? false, fn });
    }
  } finally {
    for (const hook of suite.afterAll) await hook();
  }
}

async function runCase(test: Case, path: Suite[], t: Deno.TestContext): Promise<void> {
  try {
    for (const suite of path) {
      for (const hook of suite.beforeEach) await hook();
    }
    await test.fn(t);
  } finally {
    for (const suite of path.toReversed()) {
      for (const hook of suite.afterEach) await hook();
    }
  }
}
