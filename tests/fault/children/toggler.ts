/// <reference lib="deno.worker" />
// Worker: writes two values in turn into a 64-bit word of a file that others have mapped, until it
// is terminated. Says so once it does.

self.onmessage = ({ data }: MessageEvent<{ path: string; offset: number; values: bigint[] }>) => {
  const { path, offset, values } = data;
  const file = Deno.openSync(path, { write: true });
  const images = values.map((value) => new Uint8Array(BigUint64Array.of(value).buffer));
  for (let turn = 0;; turn++) {
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(images[turn % images.length]!);
    if (turn === 0) postMessage("writing");
  }
};
