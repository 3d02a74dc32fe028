/**
 * The services that `mt` runs, in the order of its help.
 *
 * @module
 */

import type { AnyService } from "./_service.ts";
import { collector } from "./collector.ts";
import { fakeExchange } from "./fake_exchange.ts";
import { gateway } from "./gateway.ts";
import { inspector } from "./inspector.ts";
import { journal } from "./journal.ts";
import { loadGenerator } from "./load_generator.ts";
import { marketData } from "./market_data.ts";
import { matchingEngine } from "./matching_engine.ts";
import { persister } from "./persister.ts";

/** Each by its name. */
export const SERVICES: readonly AnyService[] = [
  gateway,
  matchingEngine,
  marketData,
  collector,
  journal,
  persister,
  loadGenerator,
  fakeExchange,
  inspector,
];
