// Spoils every byte of a ring file's identity page: opening it has to give an error of its own
// class, and those who have it open have to go on. A process of its own, as in
// _sweep_header.ts.

import {
  CorruptHeaderError,
  createChannel,
  LayoutMismatchError,
  openChannel,
  openConsumer,
  openProducer,
} from "../../mod.ts";
import { IDENTITY, patchBytes } from "../_format.ts";
import { encode } from "../_support.ts";

const { directory } = JSON.parse(Deno.args[0]!) as { directory: string };
const NAME = "identity";
const path = `${directory}/${NAME}.ring`;
const channel = createChannel(NAME, { directory, sizeBytes: 4096 });
const producer = openProducer(channel);
const consumer = openConsumer(channel);
const page = Deno.readFileSync(path).slice(0, IDENTITY.size);
using progress = Deno.openSync(`${path}.progress`, { create: true, write: true });
const errors: Record<string, number> = {};
let cases = 0;

function expectRefused(open: () => { close(): void }, what: string): void {
  try {
    open().close();
  } catch (error) {
    if (!(error instanceof CorruptHeaderError || error instanceof LayoutMismatchError)) throw error;
    errors[error.name] = (errors[error.name] ?? 0) + 1;
    return;
  }
  throw new Error(`Cannot be: ${what} was opened`);
}

function expectInUse(what: string): void {
  let text = "";
  producer.offer(encode(what));
  consumer.poll((message) => void (text = message.text));
  if (text !== what) throw new Error(`Cannot be: received "${text}" for "${what}"`);
}

for (let offset = 0; offset < page.length; offset++) {
  const byte = page[offset]!;
  const flips = [1, 2, 4, 8, 16, 32, 64, 128].map((bit) => byte ^ bit);
  const extremes = offset % 4 === 0 ? [0x00, 0xff] : [];
  for (const value of [...flips, ...extremes]) {
    if (value === byte) continue;
    const what = `byte ${offset} set to ${value}`.padEnd(40);
    progress.seekSync(0, Deno.SeekMode.Start);
    progress.writeSync(encode(what));
    cases++;
    patchBytes(path, offset, Uint8Array.of(value));
    expectRefused(() => openChannel(NAME, { directory }), what);
    if (value === 0xff) expectRefused(() => createChannel(NAME, { directory }), what);
    if (value === 0x00) expectRefused(() => openChannel(NAME, { directory, readOnly: true }), what);
    expectInUse(what);
  }
  patchBytes(path, offset, page.subarray(offset, offset + 1));
}
openChannel(NAME, { directory }).close();
channel.close();
console.log(JSON.stringify({ cases, errors }));
