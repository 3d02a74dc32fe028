/**
 * How long a disk takes to make something durable.
 *
 * @module
 */

/** Times of syncs, each of one page that was written over, as a log does it. */
export interface SyncTimes {
  /** How many were measured. */
  count: number;
  /** Half of them took no longer. */
  p50Ns: number;
  /** 99 of 100 took no longer. */
  p99Ns: number;
}

const PAGE_BYTES = 4096;
const SYNCS_MAX = 200;
const SYNCS_MIN = 20;
/** After so long a slow disk has shown that it is one. */
const TIME_MAX_MS = 2000;

/** Measures in a file of a directory, which goes when it is done. */
export function measureSync(directory: string): SyncTimes {
  const path = Deno.makeTempFileSync({ dir: directory, prefix: ".mt-doctor-" });
  try {
    using file = Deno.openSync(path, { write: true });
    // Zeros first, as in a log's segments: only the page is to be written, no metadata.
    file.writeSync(new Uint8Array(SYNCS_MAX * PAGE_BYTES));
    file.syncSync();
    file.seekSync(0, Deno.SeekMode.Start);
    const page = new Uint8Array(PAGE_BYTES).fill(1);
    const times: number[] = [];
    const startMs = performance.now();
    while (times.length < SYNCS_MAX) {
      const beganMs = performance.now();
      if (times.length >= SYNCS_MIN && beganMs - startMs > TIME_MAX_MS) break;
      file.writeSync(page);
      file.syncDataSync();
      times.push((performance.now() - beganMs) * 1e6);
    }
    times.sort((a, b) => a - b);
    const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)]!);
    return { count: times.length, p50Ns: at(0.5), p99Ns: at(0.99) };
  } finally {
    Deno.removeSync(path);
  }
}
