// Messages lie in TypeScript as they lie in Zig, and as `mt layouts` and the documentation say.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { defineSchema, describeSchemaDifference, type Schema } from "../lib/channel/schema.ts";
import { EngineEvent, OrderRequest } from "../lib/exchange/mod.ts";
import { BookTicker, OrderBookDelta, OrderBookSnapshot, Trade } from "../lib/market/mod.ts";
import { MESSAGE_LAYOUTS } from "../lib/native/_messages.ts";
import { mtHere } from "./_cli.ts";
import { runTask } from "./_task.ts";

const SCHEMAS = [Trade, BookTicker, OrderBookDelta, OrderBookSnapshot, OrderRequest, EngineEvent]
  .map((schema) => schema as unknown as Schema);
const format = Deno.readTextFileSync(new URL("../docs/format.md", import.meta.url));

Deno.test("Each message has the same layout in TypeScript and in Zig", () => {
  assertEquals(SCHEMAS.map(({ name }) => name).sort(), Object.keys(MESSAGE_LAYOUTS).sort());
  for (const { name, text } of SCHEMAS) {
    assertEquals(describeSchemaDifference(MESSAGE_LAYOUTS[name]!, text), "no difference", name);
  }
});

Deno.test("Each byte of a message belongs to a field, which is aligned", () => {
  for (const { name, sizeBytes, fields } of SCHEMAS) {
    let end = 0;
    for (const field of fields) {
      assertEquals(field.offset, end, `${name}.${field.name}`);
      assertEquals(field.offset % (field.sizeBytes / field.count), 0, `${name}.${field.name}`);
      end += field.sizeBytes;
    }
    assertEquals(end, sizeBytes, name);
    assertEquals(sizeBytes % 8, 0, "records follow each other without padding");
  }
});

Deno.test("A layout that differs in one field is told apart", () => {
  const moved = defineSchema("trade", { kind: "u16", price: "i64" });
  assertMatch(describeSchemaDifference(MESSAGE_LAYOUTS.trade!, moved.text), /^field 2: expected /);
});

Deno.test("docs/format.md has the layouts of all messages", () => {
  for (const { name, sizeBytes, fields } of SCHEMAS) {
    const heading = `### ${name}, ${sizeBytes} bytes\n`;
    const start = format.indexOf(heading);
    assertEquals(start >= 0, true, heading);
    const section = format.slice(start + heading.length).split(/^#/m)[0]!;
    const rows = section.split("\n").filter((line) => /^\| +\d/.test(line)).map((line) => {
      const [offset, size, field, type] = line.split("|").slice(1).map((cell) => cell.trim());
      return `${field} ${type} of ${size} at ${offset}`;
    });
    assertEquals(
      rows,
      fields.map((f) => `${f.name} ${f.type} of ${f.sizeBytes} at ${f.offset}`),
      name,
    );
  }
});

Deno.test("mt layouts prints sizes, offsets, types and alignments", async () => {
  const all = await runTask("mt", ["layouts"]);
  assertEquals([all.code, all.stderr], [0, ""]);
  for (const { name, sizeBytes } of SCHEMAS) {
    assertStringIncludes(all.stdout, `${name}: ${sizeBytes} bytes, aligned to 8, schema hash 0x`);
  }
  assertMatch(all.stdout, /^quantities +160 +96 +8 +i64\[12\]$/m);
  const one = await mtHere("layouts", "trade", "--json");
  const { layouts } = JSON.parse(one.stdout);
  assertEquals(layouts.map((layout: Schema) => [layout.name, layout.hash]), [[
    "trade",
    Trade.hash,
  ]]);
  assertEquals(layouts[0].fields[11], {
    ...{ name: "reserved0", type: "u8", offset: 57, sizeBytes: 1, alignment: 1 },
  });
  const wrong = await mtHere("layouts", "tade");
  assertEquals([wrong.code, wrong.stdout], [2, ""]);
  assertStringIncludes(wrong.stderr, 'layout of "tade": expected trade, bookTicker, orderBookD');
});
