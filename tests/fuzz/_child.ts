// Runs targets over inputs, in a process of its own: what it looks for may end the process, or
// never end. Before each input it writes it down, so that whatever comes has a cause.

import { Random } from "../_random.ts";
import { INPUT_BYTES_MAX, mutate } from "./_mutator.ts";
import { isRefusal, outcomeOf, type Target } from "./_target.ts";
import { TARGETS } from "./_targets.ts";
import { keptCases } from "./_cases.ts";
import type { Answer, ChildTask, Finding } from "./_finding.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Inputs of which something new came that are kept, at most. Arbitrary. */
const CORPUS_MAX = 500;

/** Inputs that are tried to make that of a finding smaller. Arbitrary. */
const SHRINKS_MAX = 3_000;

/** Milliseconds that shrinking may take. */
const SHRINK_MS = 10_000;

const task: ChildTask = JSON.parse(Deno.args[0]!);

/** What is being run: counter, target, bytes of the input, input. Read by the parent. */
const journal = Deno.openSync(task.journal, { create: true, write: true });
const entry = new Uint8Array(12 + INPUT_BYTES_MAX);
const entryView = new DataView(entry.buffer);
let executions = 0;

/** What an input has led to that must not be. */
let defect: unknown;

// What is thrown where nobody waits for it is a finding as well.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  defect ??= event.reason;
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  defect ??= event.error;
});

function note(index: number, input: Bytes): void {
  entryView.setUint32(0, ++executions, true);
  entryView.setUint32(4, index, true);
  entryView.setUint32(8, input.length, true);
  entry.set(input, 12);
  journal.seekSync(0, Deno.SeekMode.Start);
  journal.writeSync(entry.subarray(0, 12 + input.length));
}

/** Runs one input. Returns what came of it; undefined if that is a defect. */
async function execute(target: Target, index: number, input: Bytes): Promise<string | undefined> {
  note(index, input);
  defect = undefined;
  let outcome: string | undefined;
  try {
    const came = target.run(input.slice());
    outcome = typeof came === "string" ? came : await came;
  } catch (error) {
    if (isRefusal(error)) outcome = outcomeOf(error);
    else defect = error;
  }
  return defect === undefined ? outcome : undefined;
}

/** What tells one defect from another: the error, and where in our code it was thrown. */
function signatureOf(error: unknown): string {
  if (!(error instanceof Error)) return `${error}`;
  const place = error.stack?.split("\n").find((line) => /\/(lib|scripts|tests\/fuzz)\//.test(line));
  return `${outcomeOf(error)} ${/[\w/.]+:\d+:\d+/.exec(place ?? "")?.[0] ?? ""}`;
}

/** Makes an input smaller that leads to a defect, as long as it is the same one. */
async function shrink(target: Target, index: number, input: Bytes): Promise<Bytes> {
  const wanted = signatureOf(defect);
  const end = performance.now() + SHRINK_MS;
  let [best, tries] = [input, 0];
  const isSame = async (candidate: Bytes) => {
    if (++tries > SHRINKS_MAX || performance.now() > end) return false;
    return await execute(target, index, candidate) === undefined && signatureOf(defect) === wanted;
  };
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size <= best.length;) {
      const shorter = new Uint8Array([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (await isSame(shorter)) best = shorter;
      else at += size;
    }
  }
  for (let at = 0; at < best.length; at++) {
    if (best[at] === 0) continue;
    const zeroed = best.with(at, 0);
    if (await isSame(zeroed)) best = zeroed;
  }
  return best;
}

async function runTarget(index: number): Promise<Answer> {
  const name = task.targets[index]!;
  const target = await TARGETS[name]!(`${task.directory}/${name}`);
  const random = new Random(task.seed);
  const kept = task.inputs?.map((hex) => Uint8Array.fromHex(hex)) ??
    [...target.seeds, ...keptCases(name).map(({ input }) => input)];
  const corpus: Bytes[] = [...kept];
  const outcomes = new Map<string, number>();
  const findings: Finding[] = [];
  const seen = new Set<string>();
  const before = executions;
  const startMs = performance.now();
  const executionsMax = task.executions[name] ?? Infinity;
  const isOver = () =>
    executions - before >= executionsMax || performance.now() - startMs >= task.milliseconds;
  for (let next = 0; next < kept.length || !isOver(); next++) {
    const input = kept[next] ?? mutate(corpus, random);
    const outcome = await execute(target, index, input);
    if (outcome === undefined) {
      const signature = signatureOf(defect);
      if (seen.has(signature)) continue;
      seen.add(signature);
      const found = defect instanceof Error ? defect.stack ?? `${defect}` : `${defect}`;
      const smallest = task.inputs === undefined ? await shrink(target, index, input) : input;
      findings.push({ target: name, kind: "error", found, input: smallest.toHex() });
      if (findings.length >= task.findingsMax) break;
      continue;
    }
    const count = outcomes.get(outcome) ?? 0;
    outcomes.set(outcome, count + 1);
    if (count === 0 && next >= kept.length && corpus.length < CORPUS_MAX) corpus.push(input);
  }
  const seconds = (performance.now() - startMs) / 1000;
  await target.close?.();
  return {
    target: name,
    executions: executions - before,
    seconds,
    findings,
    outcomes: [...outcomes],
  };
}

try {
  for (const index of task.targets.keys()) {
    Deno.mkdirSync(`${task.directory}/${task.targets[index]}`, { recursive: true });
    console.log(JSON.stringify(await runTarget(index)));
  }
} catch (error) {
  // Of a target that cannot even begin. Nobody else would tell: see the listeners above.
  console.error(error);
  Deno.exit(1);
}
journal.close();
Deno.exit(0); // Sockets may linger; all is said.
