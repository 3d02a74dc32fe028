/**
 * Stores and checkpoints, as `mt verify`, `mt inspect` and `mt recover --dry-run` show them.
 *
 * @module
 */

import {
  type CheckpointsVerification,
  type CheckpointVerification,
  type StoreVerification,
  verifyCheckpoints,
  verifyStore,
} from "../../mod.ts";
import { ScriptError } from "../_command.ts";
import { printable } from "../_output.ts";
import { formatBytes, formatCount, formatTable } from "../_table.ts";
import { lookAt } from "../records/place.ts";
import { ByteProgress } from "./_progress.ts";

/** What one store or a directory of checkpoints was found to be. */
export type VerifiedStores =
  & { path: string; sound: boolean }
  & (
    | { kind: "store"; store: StoreVerification }
    | { kind: "checkpoints"; checkpoints: CheckpointsVerification }
    | { kind: "store" | "checkpoints"; error: string }
  );

/** Verifies a store or checkpoints. */
export async function verifyStores(
  path: string,
  kind: "store" | "checkpoints",
): Promise<VerifiedStores> {
  using progress = new ByteProgress(path);
  const onProgress = ({ done, total, bytes }: { done: number; total: number; bytes: number }) =>
    progress.show(bytes, bytes / done * total);
  try {
    if (kind === "store") {
      const store = await verifyStore(path, { onProgress });
      return { path, sound: store.findings.length === 0, kind, store };
    }
    const checkpoints = await verifyCheckpoints(path, { onProgress });
    const sound = checkpoints.stores.every(({ findings }) => findings.length === 0);
    return { path, sound, kind, checkpoints };
  } catch (error) {
    if (!(error instanceof Error) || error.name === "Error") throw error;
    return { path, sound: false, kind, error: error.message };
  }
}

/** What was found, as text. */
export function storesText(found: VerifiedStores): string {
  if ("error" in found) return printable(found.error);
  const { path, sound } = found;
  const verdict = sound ? "sound" : "damaged";
  if ("store" in found) {
    const { store } = found;
    return [`Store: ${verdict}`, `  ${path}`, `  ${sizeText([store])}`, ...findingsText([store])]
      .join("\n");
  }
  const { stores, states, orphanedChunks, orphanedBytes, setAside } = found.checkpoints;
  const lines = [`Checkpoints: ${verdict}`, `  ${path}`, `  ${sizeText(stores)}`];
  if (orphanedChunks > 0) {
    lines.push(
      `  ${orphanedChunks} chunks of ${formatBytes(orphanedBytes)} are of a checkpoint that was ` +
        `cut short: no damage`,
    );
  }
  for (const aside of setAside) {
    lines.push(`  ${aside} was set aside as damaged: look at it, then remove it`);
  }
  const rows = states.flatMap(({ id, checkpoints }) =>
    checkpoints.map((checkpoint) => checkpointRow(id, checkpoint))
  );
  const header = ["State", "Checkpoint", "Size", "Age", "Store", "Consumers up to", "Found"];
  lines.push("", rows.length === 0 ? "No checkpoints" : formatTable(header, rows));
  return [...lines, ...findingsText(stores)].join("\n");
}

function sizeText(stores: readonly StoreVerification[]): string {
  const sum = (of: (store: StoreVerification) => number) =>
    stores.reduce((total, store) => total + of(store), 0);
  const bytes = formatBytes(sum((store) => store.bytes));
  const used = formatBytes(sum(({ usedBytes }) => usedBytes));
  return `${formatCount(sum(({ entries }) => entries))} keys, ${bytes} in values, ${used} in files`;
}

function findingsText(stores: readonly StoreVerification[]): string[] {
  const texts = stores.flatMap(({ findings }) => findings.map(({ text }) => printable(text)));
  return texts.length === 0 ? [] : ["", ...texts];
}

function checkpointRow(state: string, checkpoint: CheckpointVerification): string[] {
  const { id, store, bytes, createdMs, cursors, damage } = checkpoint;
  const places = cursors.map(({ channel, consumer, sequence }) =>
    printable(`${channel}/${consumer} ${sequence}`)
  );
  const size = createdMs === 0 ? "–" : formatBytes(bytes);
  const consumers = places.length === 0 ? "–" : places.join(", ");
  const verdict = damage === undefined ? "sound" : "damaged";
  return [printable(state), `${id}`, size, ageText(createdMs), store, consumers, verdict];
}

const AGES: [seconds: number, unit: string][] = [[86_400, "d"], [3_600, "h"], [60, "min"]];

/** `2 h` since a moment of the wall clock; a dash where that is not known. */
function ageText(createdMs: number): string {
  if (createdMs === 0) return "–";
  const seconds = Math.max(0, (Date.now() - createdMs) / 1000);
  const [size, unit] = AGES.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** Which checkpoint a state would go on from. */
export interface StatePlan {
  state: string;
  /** `recover` from a checkpoint, `begin` without one, `refuse` where none of some is sound. */
  action: "recover" | "begin" | "refuse";
  /** The checkpoint; null without one. */
  from: CheckpointVerification | null;
  /** Later ones that are damaged, the newest first. */
  passedOver: CheckpointVerification[];
}

/** What recovery from checkpoints would do. */
export interface CheckpointsPlan {
  path: string;
  states: StatePlan[];
  /** Stores that would be set aside, and why. */
  damagedStores: { directory: string; text: string }[];
}

/**
 * Says from which checkpoint each state would recover, and changes nothing.
 *
 * @throws {ScriptError} If somebody has them open.
 */
export async function planCheckpoints(path: string): Promise<CheckpointsPlan> {
  const found = await verifyStores(path, "checkpoints");
  if (!("checkpoints" in found)) throw new ScriptError("error" in found ? found.error : path);
  const { stores, states } = found.checkpoints;
  const damagedStores = stores.flatMap(({ directory, findings }) =>
    findings.filter(({ key }) => key === "").map(({ text }) => ({ directory, text }))
  );
  return {
    path,
    states: states.map(({ id, checkpoints }) => {
      const sound = checkpoints.findIndex(({ damage }) => damage === undefined);
      const passedOver = sound < 0 ? checkpoints : checkpoints.slice(0, sound);
      const isLost = sound < 0 && (checkpoints.length > 0 || damagedStores.length > 0);
      const action = sound >= 0 ? "recover" : isLost ? "refuse" : "begin";
      return { state: id, action, from: checkpoints[sound] ?? null, passedOver };
    }),
    damagedStores,
  };
}

/** The plan as text. */
export function checkpointsPlanText({ path, states, damagedStores }: CheckpointsPlan): string {
  const parts = states.map(({ state, action, from, passedOver }) =>
    [
      `State "${printable(state)}": ${planVerb(action, from)}`,
      ...(from === null ? [] : cursorLines(from)),
      ...passedOver.map(({ id, damage }) => `  not from checkpoint ${id}: ${damage}`),
    ].join("\n")
  );
  if (states.length === 0) parts.push("No states");
  const lost = damagedStores.map(({ directory, text }) =>
    `${text}\n  ${directory} would be set aside; what it had is not known`
  );
  return [`Checkpoints in ${path}`, ...parts, ...lost].join("\n\n");
}

function planVerb(action: StatePlan["action"], from: CheckpointVerification | null): string {
  if (from !== null) {
    const made = `made ${ageText(from.createdMs)} ago, ${formatBytes(from.bytes)}`;
    return `would recover from checkpoint ${from.id} in store ${from.store}, ${made}`;
  }
  return action === "begin"
    ? "would begin with nothing: it has no checkpoint yet"
    : "would be refused: it has checkpoints, and none is sound";
}

function cursorLines({ cursors }: CheckpointVerification): string[] {
  return cursors.map(({ channel, consumer, sequence }) =>
    `  ${printable(`${channel}/${consumer}`)} would go on with sequence ${sequence + 1}`
  );
}

/** Whether a path is a directory of checkpoints. */
export function isCheckpoints(path: string): boolean {
  return lookAt(path).kind === "checkpoints";
}
