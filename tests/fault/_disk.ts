/**
 * Disks that fail as real ones do: power is cut, write-back fails, space ends. Only as root on
 * Linux; `obstacle()` of each says why it cannot be had.
 *
 * Each is a file system of its own in a temporary directory, by `mount -o loop` where it needs a
 * device: the kernel then frees the loop device with the mount. `deno task test` runs in a mount
 * namespace of its own (scripts/_deno_tests.ts), so the mounts of a killed run end with it.
 *
 * @module
 */

import { ProgramError, run } from "./_program.ts";
import { pause } from "./_support.ts";

const BLOCK_BYTES = 4096;
const MIB = 1024 * 1024;

/** Tries of 10 ms to unmount what a killed process may still be letting go of. */
const UNMOUNT_TRIES = 100;

// EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH, right after killing what loses its power too,
// and before killing who traces that: strace would wait for the calls that it delays. Every Debian
// has perl.
const SHUTDOWN = `my ($path, @pids) = @ARGV; my $flags = pack("I", 2); my @tracers;
  for my $pid (@pids) {
    open(my $status, "<", "/proc/$pid/status") or next;
    while (<$status>) { push(@tracers, $1) if /^TracerPid:\\s+([1-9]\\d*)/ }
  }
  sysopen(my $mount, $path, 0) or die "$!\\n"; kill("KILL", @pids);
  ioctl($mount, 0x8004587D, $flags) or die "$!\\n"; kill("KILL", @tracers)`;

// Puts the second argument into the file of the first, a setting of the kernel.
const SET = `open(my $file, ">", $ARGV[0]) or die "$!\\n"; print $file $ARGV[1];
  close($file) or die "$!\\n"`;

/** What every disk has: a directory with mounts, which go before it. */
abstract class Disk implements AsyncDisposable {
  readonly #directory = Deno.makeTempDirSync({ prefix: "disk-" });
  readonly #mounted: string[] = [];

  /** Where the workload may write; empty at first. */
  get path(): string {
    return `${this.mountPoint}/files`;
  }

  /** Root of the file system. */
  protected get mountPoint(): string {
    return this.place("mount");
  }

  /** A path beside the mount point. */
  protected place(name: string): string {
    return `${this.#directory}/${name}`;
  }

  protected async mount(source: string, target: string, ...options: string[]): Promise<void> {
    await Deno.mkdir(target, { recursive: true });
    await run("mount", ...options, source, target);
    this.#mounted.push(target);
  }

  /** Unmounts the newest mount. */
  protected async unmount(): Promise<void> {
    const target = this.#mounted.at(-1)!;
    for (let tries = 1;; tries++) {
      try {
        await run("umount", target);
        break;
      } catch (error) {
        const isBusy = error instanceof ProgramError && error.found.includes("busy");
        if (!isBusy || tries === UNMOUNT_TRIES) throw error;
        await pause(10);
      }
    }
    this.#mounted.pop();
  }

  protected abstract open(): Promise<void>;

  /** Makes it; what is there already goes if the rest fails. */
  protected static async made<T extends Disk>(disk: T): Promise<T> {
    try {
      await disk.open();
      await Deno.mkdir(disk.path);
      using root = await Deno.open(disk.mountPoint);
      await root.sync(); // A cut at once leaves the directory.
      return disk;
    } catch (error) {
      await disk[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Unmounts and removes it, also under processes that still use it. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#mounted.length > 0) {
      await run("umount", "--lazy", this.#mounted.at(-1)!);
      this.#mounted.pop();
    }
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** An ext4 disk whose power can be cut. */
export class PowerCutDisk extends Disk {
  readonly #sizeBytes: number;

  private constructor(sizeBytes: number) {
    super();
    this.#sizeBytes = sizeBytes;
  }

  /** Makes one. */
  static create({ sizeBytes = 64 * MIB }: { sizeBytes?: number } = {}): Promise<PowerCutDisk> {
    return Disk.made(new PowerCutDisk(sizeBytes));
  }

  /** Why there can be none here; undefined if there can. */
  static obstacle(): Promise<string | undefined> {
    return obstacleTo(async () => {
      const disk = await PowerCutDisk.create();
      await disk.cut();
      return disk;
    });
  }

  protected override async open(): Promise<void> {
    await makeImage(this.place("image"), this.#sizeBytes);
    await this.#attach();
  }

  /**
   * Cuts the power of the disk and of processes: these are killed, and some microseconds later, in
   * the middle of whatever they had the kernel do, nothing reaches the disk any more, not even what
   * the journal holds in memory. Writing, syncing and opening fail with EIO from then on.
   *
   * Name every process that acknowledges. One that lives through the cut may see the fdatasync that
   * it was in succeed although nothing was stored (ext4 of Linux 6.18, 6 cuts of 150). No
   * real cut does that, as nothing runs after it.
   */
  async cut(...pids: number[]): Promise<void> {
    await run("perl", "-e", SHUTDOWN, this.mountPoint, ...pids.map(String));
  }

  /**
   * Gives the power back: what is there now had reached the disk before the cut. The processes that
   * used it must have ended, and this one must have closed its files.
   *
   * @throws {Error} If one of its files stays open.
   */
  async restore(): Promise<void> {
    await this.unmount();
    await this.#attach();
  }

  async #attach(): Promise<void> {
    // Else the journal's commit of every 5 s keeps what nobody has synced.
    await this.mount(this.place("image"), this.mountPoint, "-o", "loop,commit=3600");
  }
}

/**
 * A disk that promises more space than it has (thin provisioning), so that write-back fails: the
 * process has written long before, and only fdatasync tells. The kernel drops such pages as clean,
 * hence the next fdatasync succeeds, and reading shows what is on no disk ("fsyncgate").
 *
 * An ext4 image full of holes on a tmpfs. Without a journal, which would fail too and make the file
 * system read-only. What fdatasync says is ENOSPC here (Linux 6.18), and EIO on older kernels.
 *
 * The loop driver calls a write done that its file took only in part, and nobody would be told. So
 * blocks and requests are single pages, which are taken whole or not at all.
 */
export class FsyncGateDisk extends Disk {
  readonly #sizeBytes: number;
  /** The kernel's setting of the size of requests, which stays with the loop device. */
  #requestSize?: string;

  private constructor(sizeBytes: number) {
    super();
    this.#sizeBytes = sizeBytes;
  }

  /** Makes one that has all its space. */
  static create({ sizeBytes = 64 * MIB }: { sizeBytes?: number } = {}): Promise<FsyncGateDisk> {
    return Disk.made(new FsyncGateDisk(sizeBytes));
  }

  /** Why there can be none here; undefined if there can. */
  static obstacle(): Promise<string | undefined> {
    return obstacleTo(async () => {
      const disk = await FsyncGateDisk.create();
      await disk.starve();
      return disk;
    });
  }

  get #image(): string {
    return `${this.place("backing")}/image`;
  }

  protected override async open(): Promise<void> {
    const size = `size=${this.#sizeBytes + MIB}`;
    await this.mount("tmpfs", this.place("backing"), "-t", "tmpfs", "-o", size);
    const options = ["-b", `${BLOCK_BYTES}`, "-O", "^has_journal"];
    const extended = ["-E", "lazy_itable_init=1,nodiscard"];
    await makeImage(this.#image, this.#sizeBytes, ...options, ...extended);
    await this.mount(this.#image, this.mountPoint, "-o", "loop,nodiscard");
    const { dev } = await Deno.stat(this.mountPoint);
    const minor = dev & 0xff | dev >>> 12 & ~0xff; // As Linux packs them in stat.
    const setting = `/sys/dev/block/${dev >>> 8 & 0xfff}:${minor}/queue/max_sectors_kb`;
    await run("perl", "-e", SET, setting, `${BLOCK_BYTES / 1024}`);
    this.#requestSize = setting;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      // 0 is the usual size. A killed run leaves 4: the device is slower until the next such disk.
      if (this.#requestSize) await run("perl", "-e", SET, this.#requestSize, "0");
    } finally {
      await super[Symbol.asyncDispose]();
    }
  }

  /**
   * Takes away all space but `freeBytes`: write-back to a block that is all zeros on the disk fails
   * when they are used up, be it new, reserved by fallocate, or filled with zeros and synced.
   * Blocks that have content can still be rewritten.
   *
   * Sync what is to stay first: pages that are still dirty are what fails. Who writes meanwhile is
   * held up: what came between seeing zeros and punching the hole would be lost, although its
   * fdatasync had succeeded.
   */
  async starve({ freeBytes = 0 }: { freeBytes?: number } = {}): Promise<void> {
    await run("fsfreeze", "--freeze", this.mountPoint);
    try {
      await run("fallocate", "--dig-holes", this.#image);
      const { blocks } = await Deno.stat(this.#image);
      await this.#resize(blocks! * 512 + freeBytes);
    } finally {
      await run("fsfreeze", "--unfreeze", this.mountPoint);
    }
  }

  /** Gives all space back. What was lost stays lost. */
  async feed(): Promise<void> {
    await this.#resize(this.#sizeBytes + MIB);
  }

  async #resize(sizeBytes: number): Promise<void> {
    await run("mount", "-o", `remount,size=${sizeBytes}`, this.place("backing"));
  }
}

/** A disk (tmpfs) that gets full: writing and allocating fail at once, with ENOSPC. */
export class SmallDisk extends Disk {
  readonly #sizeBytes: number;

  private constructor(sizeBytes: number) {
    super();
    this.#sizeBytes = sizeBytes;
  }

  /** Makes one of that size, a multiple of 4096. */
  static create({ sizeBytes }: { sizeBytes: number }): Promise<SmallDisk> {
    return Disk.made(new SmallDisk(sizeBytes));
  }

  /** Why there can be none here; undefined if there can. */
  static obstacle(): Promise<string | undefined> {
    return obstacleTo(() => SmallDisk.create({ sizeBytes: MIB }));
  }

  get #filler(): string {
    return `${this.mountPoint}/filler`;
  }

  protected override async open(): Promise<void> {
    const size = `size=${this.#sizeBytes}`;
    await this.mount("tmpfs", this.mountPoint, "-t", "tmpfs", "-o", size);
  }

  /**
   * Leaves exactly `freeBytes` free, a multiple of 4096. Nobody else may write meanwhile.
   *
   * @throws {RangeError} If less is free, even without the filler of an earlier call.
   */
  fill(freeBytes: number): void {
    if (!Number.isInteger(freeBytes / BLOCK_BYTES) || freeBytes < 0) {
      throw new RangeError(`freeBytes must be a multiple of ${BLOCK_BYTES}, found ${freeBytes}`);
    }
    using filler = Deno.openSync(this.#filler, { create: true, append: true });
    const block = new Uint8Array(BLOCK_BYTES);
    while (writes(filler, block));
    const { size } = filler.statSync();
    if (size < freeBytes) {
      this.free();
      throw new RangeError(`freeBytes must be ${size} at most here, found ${freeBytes}`);
    }
    filler.truncateSync(size - freeBytes);
  }

  /** Gives the space back that `fill` took. */
  free(): void {
    Deno.truncateSync(this.#filler); // A process just being started may still have it open.
    Deno.removeSync(this.#filler);
  }
}

/** A directory seen through something: a program (FUSE), or the layers of a container. */
export class LayeredDisk extends Disk {
  readonly #kind: "fuse.bindfs" | "overlay";

  private constructor(kind: "fuse.bindfs" | "overlay") {
    super();
    this.#kind = kind;
  }

  /** Makes one. */
  static create(kind: "fuse.bindfs" | "overlay"): Promise<LayeredDisk> {
    return Disk.made(new LayeredDisk(kind));
  }

  /** Why there can be none here; undefined if there can. */
  static obstacle(kind: "fuse.bindfs" | "overlay"): Promise<string | undefined> {
    return obstacleTo(() => LayeredDisk.create(kind));
  }

  /** The directory below. */
  get below(): string {
    return this.place("upper");
  }

  protected override async open(): Promise<void> {
    const layers = ["upper", "lower", "work"].map((name) => this.place(name));
    for (const path of layers) await Deno.mkdir(path, { mode: 0o700 });
    const options = `upperdir=${layers[0]},lowerdir=${layers[1]},workdir=${layers[2]}`;
    const given = this.#kind === "overlay" ? ["-o", options] : [];
    await this.mount(layers[0]!, this.mountPoint, "-t", this.#kind, ...given);
  }
}

/** Writes the block whole, or finds the disk full. */
function writes(file: Deno.FsFile, block: Uint8Array): boolean {
  try {
    return file.writeSync(block) === block.length;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") return false;
    throw error;
  }
}

/** Reads from a file past the page cache: what is really on the disk. In units of 4096 bytes. */
export async function readDirect(
  path: string,
  { offset = 0, size }: { offset?: number; size: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const units = [offset, size].map((bytes) => bytes / BLOCK_BYTES);
  if (!units.every(Number.isInteger)) {
    throw new RangeError(`offset and size must be multiples of 4096, found ${offset} and ${size}`);
  }
  const range = [`bs=${BLOCK_BYTES}`, `skip=${units[0]}`, `count=${units[1]}`];
  return await run("dd", `if=${path}`, "iflag=direct", "status=none", ...range);
}

async function makeImage(path: string, sizeBytes: number, ...options: string[]): Promise<void> {
  await Deno.writeFile(path, new Uint8Array(0));
  await Deno.truncate(path, sizeBytes);
  await run("mkfs.ext4", "-q", "-F", ...options, path);
}

/** Tries whether such a disk can be had. What is no known obstacle is a defect and is thrown. */
async function obstacleTo(create: () => Promise<AsyncDisposable>): Promise<string | undefined> {
  try {
    await using _disk = await create();
    return undefined;
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    const { program, found } = error;
    if (found === "no such program") return `needs ${program}`;
    if (/superuser|not permitted|permission denied/i.test(found)) {
      return "needs root that may mount";
    }
    if (/loop device/.test(found)) return "needs root and a loop device";
    if (/read-only file system/i.test(found)) return "needs a writable /sys";
    const unknown = /unknown filesystem type '(.*)'/.exec(found)?.[1];
    if (unknown !== undefined) return `needs ${unknown}`;
    throw error;
  }
}
