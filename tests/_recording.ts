/**
 * The recorded feed beside the checkout, which not everybody has.
 *
 * @module
 */

/** Path of the recording. */
export const RECORDING = new URL(
  "../../shared/data/binance-spot-btcusdt-20240808.ndjson.gz",
  import.meta.url,
).pathname;

/** Whether it is there. Says so where it is not: tests on it are skipped then. */
export const HAS_RECORDING = isThere(RECORDING);

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.warn(`no ${path}, so tests on recorded data are skipped`);
    return false;
  }
}
