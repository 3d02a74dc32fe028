/**
 * A process that commits to a store until it is killed.
 *
 * Prints `open <number>`, the last batch that is there, then `acked <number>` after each commit,
 * with `reads` after it was read back as well. Ends after `count` commits, if given.
 */

import { openStore } from "../../../mod.ts";
import { batchOf, HEAD, numberOf } from "../_store.ts";
import { print } from "./_lines.ts";

interface Config {
  directory: string;
  reads?: boolean;
  count?: number;
}

const { directory, reads = false, count = Infinity }: Config = JSON.parse(Deno.args[0]!);
using store = openStore({ directory: `${directory}/store`, mapBytes: 2 ** 18 });
const last = numberOf(await store.get(HEAD));
print(`open ${last}`);
for (let number = last + 1; number <= last + count; number++) {
  await store.commit(batchOf(number));
  if (reads) await store.get(HEAD);
  print(`acked ${number}`);
}
