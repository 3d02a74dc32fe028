/**
 * A matching engine between two channels, with checkpoints every few milliseconds.
 *
 * Prints `ready <checkpoint> <replayed> <repeated>` when it has recovered; told to `stop`, it does,
 * and prints `stopped <state hash> <last sequence> <last event number>`.
 */

import { EngineEvent, OrderRequest, startEngine } from "../../../lib/exchange/mod.ts";
import { createChannel, openCheckpoints } from "../../../mod.ts";
import { engineChannels, INSTRUMENTS } from "../_exchange.ts";
import { commands, print } from "./_lines.ts";

const { directory }: { directory: string } = JSON.parse(Deno.args[0]!);
const { ordersOptions, eventsOptions } = engineChannels(directory);
using orders = createChannel("gateway.orders", { ...ordersOptions, schema: OrderRequest });
using events = createChannel("engine.events", { ...eventsOptions, schema: EngineEvent });
using checkpoints = openCheckpoints({ directory: `${directory}/state`, mapBytes: 1 << 20 });
using told = commands();
const service = await startEngine({
  ...{ orders, events, checkpoints },
  engine: { instruments: INSTRUMENTS },
  checkpointIntervalMs: 20,
  checkpointEvery: 500,
});
const { checkpoint, replayed, repeated } = service.recovery;
print(`ready ${checkpoint} ${replayed} ${repeated}`);
await Promise.race([told.next(), service.ended]);
const { stateHash, lastSequence, lastEventNumber } = await service.stop();
print(`stopped ${stateHash} ${lastSequence} ${lastEventNumber}`);
