/**
 * The checkpoints below a directory, as rows of the page.
 *
 * @module
 */

import { listCheckpoints } from "../../lib/durability/checkpoint_list.ts";

/** A checkpoint, or a store that is damaged. */
export interface CheckpointRow {
  /** Name of its state; of its directory where a store is damaged as a whole. */
  state: string;
  id: number;
  size: number;
  createdMs: number;
  /** How far its consumers were, as text. */
  cursors: string;
  damage: string | null;
}

/** Rows that are shown. Arbitrary: a state keeps two or three. */
const ROWS_MAX = 100;

/** Reads them anew when it is told to, and has what was found the last time. */
export class CheckpointRows {
  readonly #directory: string | undefined;
  #rows: CheckpointRow[] = [];
  #error: string | null = null;
  #isReading = false;

  /** @param directory What services call `state_dir`; undefined for none. */
  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /** What was found. */
  get found(): { rows: CheckpointRow[]; error: string | null } {
    return { rows: this.#rows, error: this.#error };
  }

  /** Reads them, unless that is under way. */
  async read(): Promise<void> {
    if (this.#directory === undefined || this.#isReading) return;
    this.#isReading = true;
    try {
      this.#rows = (await rowsBelow(this.#directory)).slice(0, ROWS_MAX);
      this.#error = null;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#error = error.message;
    } finally {
      this.#isReading = false;
    }
  }
}

/** Of a directory, and of those in it: each service has one of its own there. */
async function rowsBelow(directory: string): Promise<CheckpointRow[]> {
  const inner = [...Deno.readDirSync(directory)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => `${directory}/${name}`).sort();
  const rows: CheckpointRow[] = [];
  for (const path of [directory, ...inner]) rows.push(...await rowsIn(path));
  return rows;
}

async function rowsIn(path: string): Promise<CheckpointRow[]> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  try {
    const list = await listCheckpoints(path);
    if (list === undefined) return [];
    const whole = { state: name, id: 0, size: 0, createdMs: 0, cursors: "" };
    return [
      ...list.damage.map((damage) => ({ ...whole, damage })),
      ...list.checkpoints.map(({ state, id, bytes, createdMs, cursors, damage }) => ({
        ...{ state: `${name}/${state}`, id, size: bytes, createdMs, damage },
        cursors: cursors.map(({ channel, consumer, sequence }) =>
          `${channel}/${consumer} ${sequence}`
        ).join(", "),
      })),
    ];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return [{ state: name, id: 0, size: 0, createdMs: 0, cursors: "", damage: error.message }];
  }
}
