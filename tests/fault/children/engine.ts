/**
 * A service with a state: sends itself orders through a channel with a log, applies them, and makes
 * checkpoints. The state is how many it has applied and a sum that depends on their order.
 *
 * Prints `recovered <sequence> <count> <sum> <last>` when it has replayed, then for each batch
 * `acked <sequence>`, and `checkpoint <id>` for each checkpoint.
 */

import { createChannel, openCheckpoints, openProducer } from "../../../mod.ts";
import { applyOrder, type EngineState, orderOf, packState, unpackState } from "../_engine.ts";
import { print } from "./_lines.ts";

interface Config {
  directory: string;
  /** Directory of the log and the checkpoints: another disk, perhaps. */
  disk: string;
  batches: number;
  /** Directory of logs, if it is not on that disk. */
  walDir?: string;
}

const { directory, disk, batches, walDir = `${disk}/wal` }: Config = JSON.parse(Deno.args[0]!);
const channel = createChannel("orders", {
  directory,
  sizeBytes: "64KB",
  durability: "disk",
  walDir,
  segmentBytes: "256KB",
  snapshotIntervalMs: 5,
});
const checkpoints = openCheckpoints({ directory: `${disk}/checkpoints`, mapBytes: 1 << 20 });
const recovery = await checkpoints.recover("engine", channel);
const state: EngineState = recovery.state ? unpackState(recovery.state) : { count: 0, sum: 0 };
const consumer = recovery.replay({ name: "engine" });

function applyAll(upTo: number): void {
  while (consumer.delivered < upTo) {
    consumer.pollWait((message) => applyOrder(state, message.sequence, message.payload));
  }
}

const producer = openProducer(channel);
let next = channel.stats().nextSequence; // The ring may have more than the log had.
applyAll(next - 1);
print(`recovered ${recovery.sequence} ${state.count} ${state.sum} ${recovery.lastSequence}`);
const timer = checkpoints.schedule("engine", {
  intervalMs: 3,
  capture: () => ({ state: packState(state), consumers: [consumer] }),
  onCheckpoint: ({ id }) => print(`checkpoint ${id}`),
});
for (let batch = 0; batch < batches; batch++) {
  const orders = Array.from({ length: 1 + batch % 7 }, () => orderOf(next++));
  const last = producer.writeBatch(orders);
  applyAll(last);
  await producer.durable(last);
  print(`acked ${last}`);
}
await timer.stop();
channel.close();
checkpoints.close();
print("end");
