// What does a call of the channel API cost, without another process? Budget: 100 ns for a message.
// Both ends are in one process, so the lines are in its cache: instructions alone.
//   deno task bench micro
import { createChannel, openConsumer, openProducer, removeChannel } from "../mod.ts";
import { OPERATIONS } from "./_context.ts";
import { bench, benchNop, check } from "./_micro.ts";

const BYTES = 64;
const BATCH = 25;

const name = `bench-${Deno.pid}-micro`;

/** A channel with a file that has lost its name already: nothing to clear away. */
function makeChannel() {
  const channel = createChannel(name);
  removeChannel(name);
  return channel;
}

{
  const group = `producer, ${BYTES} B`;
  const producer = openProducer(makeChannel()); // No consumer, so it always has room.
  const payload = new Uint8Array(BYTES).fill(7);
  const batch = { bytes: new Uint8Array(BYTES * BATCH).fill(7), messageBytes: BYTES };
  let published = 0;

  benchNop(group);

  bench(group, "offer", () => {
    let last = 0;
    for (let i = 0; i < OPERATIONS; i++) last = producer.offer(payload);
    check(last === (published += OPERATIONS));
  });

  bench(group, `offerBatch of ${BATCH}`, () => {
    let last = 0;
    for (let i = 0; i < OPERATIONS; i += BATCH) last = producer.offerBatch(batch);
    check(last === (published += OPERATIONS));
  });

  bench(group, "tryClaim, fill, publish", () => {
    let last = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      const claim = producer.tryClaim(BYTES)!;
      claim.view.setUint32(claim.offset, i, true);
      last = claim.publish();
    }
    check(last === (published += OPERATIONS));
  });
}

{
  const group = `consumer, ${BYTES} B`;
  const channel = makeChannel();
  const producer = openProducer(channel);
  const consumer = openConsumer(channel);
  const messages = { bytes: new Uint8Array(BYTES * OPERATIONS), messageBytes: BYTES };
  const view = new DataView(messages.bytes.buffer);
  for (let i = 0; i < OPERATIONS; i++) view.setUint32(i * BYTES, i, true);
  const expected = OPERATIONS * (OPERATIONS - 1) / 2;

  benchNop(group);

  bench(group, "poll, and read a field", (context) => {
    let sum = 0;
    producer.offerBatch(messages);
    context.start();
    const count = consumer.poll((message) => {
      sum += message.view.getUint32(message.offset, true);
    }, OPERATIONS);
    context.end();
    check(count === OPERATIONS && sum === expected);
  });

  bench(group, "for await, and read a field", async (context) => {
    let sum = 0;
    let rest = OPERATIONS;
    producer.offerBatch(messages);
    context.start();
    for await (const message of consumer) {
      sum += message.view.getUint32(message.offset, true);
      if (--rest > 0) continue;
      consumer.ack();
      break;
    }
    context.end();
    check(sum === expected);
  });
}
