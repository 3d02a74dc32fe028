// Sums bytes with every kind of zig/crc32c.zig that this processor has, and times each.
import { nativeLoops } from "./_native.ts";
import { answer, checkAnswers, ready, takeJob } from "./_peer.ts";

/** What a peer is to do. */
export interface CrcJob {
  core: number | undefined;
  sizes: number[];
  /** Bytes that one timing sums at least, and timings of each kind. */
  bytesPerTiming: number;
  repetitions: number;
}

/** Speeds of one timing each. */
export interface CrcTimings {
  /** Its name in zig/crc32c.zig. */
  kind: string;
  bytes: number;
  gigabytesPerSecond: number[];
}

const { mt_bench_crc, mt_bench_crc_kind } = nativeLoops;

/** The kinds that this processor has. */
function listKinds(): { index: number; kind: string }[] {
  const kinds: { index: number; kind: string }[] = [];
  const name = new Uint8Array(64);
  for (let index = 0;; index++) {
    const length = mt_bench_crc_kind(index, name);
    if (length < 0) return kinds;
    const kind = new TextDecoder().decode(name.subarray(0, length));
    if (length > 0) kinds.push({ index, kind });
  }
}

function measure(job: CrcJob): CrcTimings[] {
  const kinds = listKinds();
  const all = job.sizes.flatMap((bytes) =>
    kinds.map(({ index, kind }) => ({ index, kind, bytes, gigabytesPerSecond: [] as number[] }))
  );
  const input = crypto.getRandomValues(new Uint8Array(Math.max(...job.sizes)));
  // The first timing of each warms up. Kinds in turn, so that a slow moment falls on all alike.
  for (let timing = 0; timing <= job.repetitions; timing++) {
    const sums = new Map<number, number>();
    for (const { index, bytes, gigabytesPerSecond } of all) {
      const rounds = Math.ceil(job.bytesPerTiming / bytes);
      const startMs = performance.now();
      const sum = mt_bench_crc(index, input, bytes, rounds);
      const elapsedNs = (performance.now() - startMs) * 1e6;
      if (timing > 0) gigabytesPerSecond.push(bytes * rounds / elapsedNs);
      if (!sums.has(bytes)) sums.set(bytes, sum);
      checkAnswers(sum === sums.get(bytes) ? 0 : 1);
    }
  }
  return all.map(({ kind, bytes, gigabytesPerSecond }) => ({ kind, bytes, gigabytesPerSecond }));
}

if (import.meta.main) {
  const job = takeJob<CrcJob>();
  ready();
  answer(measure(job));
}
