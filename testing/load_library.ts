/**
 * Loads the native library before the first test, by `deno test --preload`: it stays loaded for
 * good, which the test that happens to be the first would be blamed for as a leak.
 *
 * @module
 */

import { monotonicNs } from "../mod.ts";

monotonicNs();
