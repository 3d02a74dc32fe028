/**
 * Writes chunks to a file `log` and syncs each, as a log does, then prints `acked <sequence>`, or
 * `failed <code>` and goes on. Chunk n, from 1, is of bytes n % 251 + 1. With `rotate`
 * every so many chunks the file is renamed to `log-<sequence>`, and the one before is removed.
 *
 * Prints `end`, unless the disk refuses to be written.
 */

import { print } from "./_lines.ts";

interface Config {
  directory: string;
  chunks: number;
  chunkBytes: number;
  rotate?: number;
}

const { directory, chunks, chunkBytes, rotate = Infinity }: Config = JSON.parse(Deno.args[0]!);
const path = `${directory}/log`;
using folder = Deno.openSync(directory);
let older: string | undefined;
let file = open();
for (let sequence = 1; sequence <= chunks; sequence++) {
  file.writeSync(new Uint8Array(chunkBytes).fill(sequence % 251 + 1));
  print(syncs(file) ?? `acked ${sequence}`);
  if (sequence % rotate === 0) rotateAt(sequence);
}
file.close();
print("end");

function open(): Deno.FsFile {
  const opened = Deno.openSync(path, { write: true, createNew: true });
  folder.syncSync();
  return opened;
}

function syncs(file: Deno.FsFile): string | undefined {
  try {
    file.syncDataSync();
    return undefined;
  } catch (error) {
    return `failed ${(error as { code?: string }).code}`;
  }
}

function rotateAt(sequence: number): void {
  file.close();
  const newer = `${path}-${sequence}`;
  Deno.renameSync(path, newer);
  folder.syncSync();
  if (older !== undefined) Deno.removeSync(older);
  older = newer;
  file = open();
}
