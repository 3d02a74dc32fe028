/**
 * What is mounted where.
 *
 * @module
 */

/** A mounted file system. */
export interface Mount {
  /** Where. */
  point: string;
  /** Its type. */
  fileSystem: string;
  /** What it is mounted from. */
  device: string;
}

/**
 * Returns the mount that a path lies on, or undefined.
 *
 * @param mounts Text of `/proc/self/mountinfo`.
 */
export function findMount(mounts: string, path: string): Mount | undefined {
  // 36 35 98:0 /root /mount/point options [optional fields] - type device options
  return mounts.split("\n").flatMap((line) => {
    const [place = "", source = ""] = line.split(" - ");
    const [fileSystem, device] = source.split(" ");
    const point = place.split(" ")[4];
    if (point === undefined || fileSystem === undefined || device === undefined) return [];
    return [{ point: unescape(point).replace(/\/$/, ""), fileSystem, device }];
  }).filter(({ point }) => `${path}/`.startsWith(`${point}/`))
    .toSorted((a, b) => a.point.length - b.point.length).at(-1);
}

/** `\040` is a space. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}
