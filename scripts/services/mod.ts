/**
 * The services that `mt` runs, in the order of its help.
 *
 * @module
 */

import type { AnyService } from "./_service.ts";
import { persister } from "./persister.ts";

/** Each by its name. */
export const SERVICES: readonly AnyService[] = [persister];
