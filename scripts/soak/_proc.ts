/**
 * What the kernel tells of a process, at one moment.
 *
 * @module
 */

/** What a process has. */
export interface ProcessUse {
  /** Bytes in memory: all, and those that are its own rather than files and rings. */
  rssBytes: number;
  ownBytes: number;
  /** Open descriptors. */
  descriptors: number;
  /** Mappings of memory. */
  mappings: number;
}

const KIB = 1024;

/**
 * Looks at a process. Needs `--allow-all`: Deno lets nothing less read `/proc`.
 *
 * @returns undefined if there is none, or none any more.
 */
export function lookAtProcess(pid: number): ProcessUse | undefined {
  const place = `/proc/${pid}`;
  try {
    const status = Deno.readTextFileSync(`${place}/status`);
    const bytes = (name: string) =>
      KIB * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
    const maps = Deno.readTextFileSync(`${place}/maps`);
    const use = {
      rssBytes: bytes("VmRSS"),
      ownBytes: bytes("RssAnon"),
      descriptors: [...Deno.readDirSync(`${place}/fd`)].length,
      mappings: maps.split("\n").length - 1,
    };
    return use.rssBytes === 0 ? undefined : use; // It has ended, and nobody has asked how.
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound || /No such process/.test(`${error}`);
    if (isGone) return undefined;
    throw error;
  }
}
