/**
 * The instruments that services share: settings, and the file that has their ids.
 *
 * @module
 */

import { dirname } from "node:path";
import { type Instruments, openInstruments } from "../../lib/market/instruments.ts";
import { UsageError } from "../_command.ts";
import { list, needed, path, type Values } from "./_settings.ts";

/** What is traded. */
export const INSTRUMENT_SETTINGS = {
  instruments: list([], 'what is traded: "symbol:priceDecimals:quantityDecimals"'),
  instrumentsFile: path("file with the instruments' ids, which all services share"),
};

type InstrumentValues = Values<typeof INSTRUMENT_SETTINGS>;

/** Symbol, which may have colons itself, and two numbers of decimals. */
const INSTRUMENT = /^(.+):(\d{1,2}):(\d{1,2})$/;

/**
 * Opens the file, and gives an id to each configured instrument that has none.
 *
 * @throws {UsageError} If there is no file, or an instrument is written in another way.
 */
export function openConfiguredInstruments(values: InstrumentValues): Instruments {
  const { instruments } = values;
  const instrumentsFile = needed(values, "instrumentsFile");
  const wrong = instruments.find((text) => !INSTRUMENT.test(text));
  if (wrong !== undefined) {
    throw new UsageError(
      `Cannot use instrument "${wrong}": expected "symbol:priceDecimals:quantityDecimals"`,
    );
  }
  const opened = openInstruments(instrumentsFile);
  for (const text of instruments) {
    const [, symbol, priceDecimals, quantityDecimals] = INSTRUMENT.exec(text)!;
    opened.intern(symbol!, {
      priceDecimals: Number(priceDecimals),
      quantityDecimals: Number(quantityDecimals),
    });
  }
  return opened;
}

/** Directory of the file, which has to be read and written. */
export function instrumentsDirectory({ instrumentsFile }: InstrumentValues): string | undefined {
  return instrumentsFile === undefined ? undefined : dirname(instrumentsFile);
}
