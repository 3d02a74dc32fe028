// The chosen channel's log: its segments, what is wrong with it, and verifying it.

import { bytes, count, element, fillList, fillTable, set, time } from "./table.js";

let name = "";

element("verify").addEventListener("click", async () => {
  const response = await fetch(`/api/verify?${new URLSearchParams({ channel: name })}`);
  const { error } = await response.json();
  set("verified", error ?? "Reading it …");
});

/** Shows a log, if there is one. */
export function showLog({ name: chosen, channel, log, logError, verified }) {
  if (name !== chosen) set("verified", "");
  name = chosen;
  const ring = channel?.log ?? null;
  element("log-card").hidden = log === null && ring === null;
  set("log-note", noteOf(ring, log));
  const damage = [...log?.damage ?? []];
  if (log === null && ring !== null) {
    damage.push(`Its files are not shown: ${logError ?? "start with --wal-dir to see them"}`);
  }
  for (const tail of log?.tails ?? []) {
    damage.push(`${tail.name}: ${bytes(tail.bytes)} that nobody was told of, saved aside`);
  }
  fillList("log-damage", damage, (item, text) => item.textContent = text);
  element("verify").disabled = log === null || verified?.state === "running";
  showVerified(verified);
  const segments = (log?.segments ?? []).toReversed();
  fillTable("segments", segments.map((segment) => segmentRow(segment, ring)));
}

function noteOf(ring, log) {
  const parts = [];
  if (ring !== null) parts.push(`${ring.state}, durable up to ${count(ring.durable)}`);
  if (log !== null) {
    const segments = log.segmentCount === 1 ? "1 segment" : `${count(log.segmentCount)} segments`;
    parts.push(`${segments}, ${bytes(log.bytes)}, epoch ${count(log.epoch)}`);
    parts.push(log.directory);
  } else if (ring !== null) parts.push(ring.directory);
  return parts.join(" · ");
}

function segmentRow(segment, ring) {
  const { name, bytes: size, firstSequence, lastSequence, createdMs, damage } = segment;
  // Where the newest one ends, the ring knows.
  const last = lastSequence ?? ring?.logged ?? 0;
  return [
    { text: name, title: name },
    bytes(size),
    count(firstSequence),
    last < firstSequence ? "–" : count(last),
    damage !== null
      ? { text: damage, look: "bad" }
      : lastSequence === null
      ? { text: "the newest", look: "good" }
      : { text: "complete", look: "quiet" },
    time(createdMs),
  ];
}

function showVerified(verified) {
  if (verified === null) return;
  const { state, error, result, timeMs } = verified;
  element("verified").dataset.look = "";
  if (state === "running") return set("verified", "Reading it …");
  const isSound = state === "done" && result.verdict !== "corrupt" && result.findings.length === 0;
  element("verified").dataset.look = isSound ? "good" : "bad";
  if (state === "failed") return set("verified", error);
  const lost = result.findings.map(({ kind, file, offset }) => `${kind} in ${file} at ${offset}`);
  const found = isSound ? `${result.verdict}, every byte verifies` : `damaged: ${lost.join("; ")}`;
  set("verified", `${count(result.records)} records, ${found} (${time(timeMs)})`);
}
