/**
 * The services that `mt` runs, in the order of its help.
 *
 * @module
 */

import { matchingEngine } from "./matching_engine.ts";
import type { AnyService } from "./_service.ts";

/** Each by its name. */
export const SERVICES: readonly AnyService[] = [matchingEngine];
