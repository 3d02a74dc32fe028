/**
 * Adds instruments to the file `instruments` and prints `<symbol> <id> <price decimals>` when each
 * is said to be on the disk; then `end`. Those named `shared-…` are added by every child.
 */

import { openInstruments } from "../../../lib/market/instruments.ts";
import { print } from "./_lines.ts";

interface Config {
  directory: string;
  name: string;
  count: number;
}

const { directory, name, count }: Config = JSON.parse(Deno.args[0]!);
const instruments = openInstruments(`${directory}/instruments`);
for (let number = 0; number < count; number++) {
  for (const symbol of [`${name}-${number}`, `shared-${number}`]) {
    const { id } = instruments.intern(symbol, { priceDecimals: number % 9, quantityDecimals: 8 });
    print(`${symbol} ${id} ${number % 9}`);
  }
}
print("end");
