// Counts in the directory given, says its instance, and then what the lines of its input tell.

import { openCounters } from "../lib/observability/mod.ts";
import { COUNTED } from "./_counters.ts";

const [directory, instance] = Deno.args as [string, string];
const counters = openCounters(instance, COUNTED, { directory });
counters.values.orders.add(5);
counters.values.sessions.set(2.5);
counters.values.wait.record(1_000_000);
console.log(counters.instance);
setInterval(() => {}, 1_000_000); // Until it is killed.
