// docs/format.md says what the code says.
import { assertEquals } from "@std/assert";
import * as layout from "../lib/native/_layout.ts";

const format = Deno.readTextFileSync(new URL("../docs/format.md", import.meta.url));
const constants = layout as unknown as Record<string, number>;

/** Rows of the first table below a heading, cells trimmed. */
function tableBelow(heading: string): string[][] {
  const lines = format.slice(format.indexOf(`${heading}\n`)).split("\n");
  const start = lines.findIndex((line) => line.startsWith("|"));
  const end = lines.findIndex((line, i) => i > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

/** Compares a table of offsets with a struct's. */
function checkOffsets(heading: string, prefix: string): void {
  const documented = new Map(
    tableBelow(heading).map(([offset, , field]) => [field!, Number(offset)]),
  );
  const suffix = "_OFFSET";
  const actual = Object.entries(constants)
    .filter(([name]) => name.startsWith(prefix) && name.endsWith(suffix))
    .map(([name, value]) => [name.slice(prefix.length, -suffix.length).toLowerCase(), value]);
  assertEquals([...documented].sort(), actual.sort());
}

Deno.test("docs/format.md has the identity page's offsets", () => {
  checkOffsets("### Identity", "IDENTITY_");
});

Deno.test("docs/format.md has the offsets of a file of counters", () => {
  checkOffsets("### Identity of counters", "COUNTERS_IDENTITY_");
  checkOffsets("### Entry of counters", "COUNTERS_ENTRY_");
  checkOffsets("### Owner of counters", "COUNTERS_OWNER_");
});

Deno.test("docs/format.md has the flags of records and channels", () => {
  const flags = [
    ["control", layout.RECORD_CONTROL],
    ["aborted", layout.RECORD_ABORTED],
    ["first fragment", layout.RECORD_FIRST_FRAGMENT],
    ["last fragment", layout.RECORD_LAST_FRAGMENT],
    ["timestamped", layout.RECORD_TIMESTAMPED],
    ["critical", layout.RECORD_CRITICAL],
    ["many producers", layout.CHANNEL_MANY_PRODUCERS],
    ["timestamps", layout.CHANNEL_TIMESTAMPED],
    ["huge pages", layout.CHANNEL_HUGE_PAGES],
    ["group", layout.CHANNEL_GROUP_SHARED],
  ] as const;
  const text = format.replaceAll(/\s+/g, " ");
  for (const [name, bit] of flags) assertEquals(text.includes(`${bit} ${name}`), true, name);
});

Deno.test("docs/format.md has the record's fixed offsets", () => {
  const rows = new Map(tableBelow("## Record").map(([offset, , field]) => [field!, offset!]));
  assertEquals(rows.get("payload"), `${layout.RECORD_HEADER_BYTES}`);
  assertEquals(rows.get("checksum"), `${layout.RECORD_HEADER_BYTES} + length`);
});
