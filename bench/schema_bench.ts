// What does a field of a schema cost? Budget: 10 ns, which is what the DataView call itself costs.
//   deno task bench micro
import { defineSchema } from "../mod.ts";
import { OPERATIONS } from "./_context.ts";
import { bench, benchNop, check } from "./_micro.ts";

const Trade = defineSchema("trade", {
  price: "i64",
  quantity: "f64",
  id: "u32",
  side: "u8",
}, { sizeBytes: 64 });
const group = "schema accessor";
const view = new DataView(new ArrayBuffer(Trade.sizeBytes * OPERATIONS));
const trade = Trade.accessor();
for (let i = 0; i < OPERATIONS; i++) {
  trade.wrap(view, i * Trade.sizeBytes);
  trade.price = trade.quantity = trade.id = i;
}
const expected = OPERATIONS * (OPERATIONS - 1) / 2;

benchNop(group);

bench(group, "wrap", () => {
  for (let i = 0; i < OPERATIONS; i++) trade.wrap(view, i * Trade.sizeBytes);
  check(trade.id === OPERATIONS - 1);
});

bench(group, "wrap, get i64", () => {
  let sum = 0;
  for (let i = 0; i < OPERATIONS; i++) sum += trade.wrap(view, i * Trade.sizeBytes).price;
  check(sum === expected);
});

bench(group, "wrap, get f64", () => {
  let sum = 0;
  for (let i = 0; i < OPERATIONS; i++) sum += trade.wrap(view, i * Trade.sizeBytes).quantity;
  check(sum === expected);
});

bench(group, "wrap, get u32", () => {
  let sum = 0;
  for (let i = 0; i < OPERATIONS; i++) sum += trade.wrap(view, i * Trade.sizeBytes).id;
  check(sum === expected);
});

bench(group, "wrap, set i64", () => {
  for (let i = 0; i < OPERATIONS; i++) trade.wrap(view, i * Trade.sizeBytes).price = i;
  check(trade.price === OPERATIONS - 1);
});

bench(group, "wrap, set u32", () => {
  for (let i = 0; i < OPERATIONS; i++) trade.wrap(view, i * Trade.sizeBytes).id = i;
  check(trade.id === OPERATIONS - 1);
});
