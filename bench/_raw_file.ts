/**
 * The disk's floor: a plain file, written and read by native loops.
 *
 * @module
 */

import { checkLoop, nativeLoops, zeroEnded } from "./_native.ts";

/** A file of zeros, all of which are on the disk. Goes with the scope that has it. */
export class RawFile implements Disposable {
  readonly #path: string;
  readonly #fd: number;
  #offset = 0;

  constructor(directory: string, bytes: number) {
    this.#path = `${directory}/raw`;
    this.#fd = checkLoop(nativeLoops.mt_bench_disk_create(zeroEnded(this.#path), bytes));
  }

  /**
   * Writes as many times as `times` has places, behind what was written before, and syncs after
   * each `perSync`, and after the last. Returns the nanoseconds.
   */
  write(bytes: number, times: Float64Array<ArrayBuffer>, perSync = 1): number {
    const { mt_bench_disk_write } = nativeLoops;
    const ns = checkLoop(
      mt_bench_disk_write(this.#fd, this.#offset, bytes, times.length, perSync, times),
    );
    this.#offset += bytes * times.length;
    return ns;
  }

  /** Goes back to the beginning. */
  rewind(): void {
    this.#offset = 0;
  }

  /** Reads the file's first bytes and sums them with CRC-32C. Returns the nanoseconds. */
  sum(bytes: number): number {
    const sum = new Uint32Array(1);
    return checkLoop(nativeLoops.mt_bench_disk_sum(zeroEnded(this.#path), bytes, sum));
  }

  [Symbol.dispose](): void {
    nativeLoops.mt_bench_disk_close(this.#fd);
    Deno.removeSync(this.#path);
  }
}
