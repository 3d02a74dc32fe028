/**
 * The services that `mt` runs, in the order of its help.
 *
 * @module
 */

import type { AnyService } from "./_service.ts";
import { collector } from "./collector.ts";
import { fakeExchange } from "./fake_exchange.ts";
import { journal } from "./journal.ts";

/** Each by its name. */
export const SERVICES: readonly AnyService[] = [collector, fakeExchange, journal];
