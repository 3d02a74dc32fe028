/**
 * Giving up system calls that this process will not need.
 *
 * @module
 */

import { OK } from "./_layout.ts";
import { Detail } from "./failure.ts";
import { native } from "./library.ts";

const ENOSYS = 38;
const EINVAL = 22;

/**
 * Takes system calls away from this process, from all its threads and Workers and for good:
 * starting programs and processes, `ptrace` and reading other processes' memory, changing users,
 * namespaces, mounts, the kernel and the clock, `io_uring`, input for its terminal. They fail with
 * EPERM from then on.
 *
 * For a process that has been started and only has to work now: what takes it over can start
 * nothing. Files and addresses are not concerned; keep them away by Deno's permissions. Everything
 * in this library goes on to work. May be repeated.
 *
 * Cost: some ten nanoseconds for each system call from then on.
 *
 * @throws {Deno.errors.NotSupported} If this kernel has no seccomp filters.
 * @example
 * ```ts ignore
 * using channel = createChannel("quotes");
 * confine();
 * new Deno.Command("/bin/sh").spawn(); // Throws, whatever --allow-run says.
 * ```
 */
export function confine(): void {
  const detail = new Detail();
  if (native().mt_process_confine(detail.bytes) === OK) return;
  const { errno } = detail;
  if (errno === ENOSYS || errno === EINVAL) {
    throw new Deno.errors.NotSupported(
      `Cannot confine this process: found a kernel without seccomp filters (errno ${errno})`,
    );
  }
  throw new Error(`Cannot confine this process: found operating system error ${errno}`);
}
