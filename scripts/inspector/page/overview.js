// What there is: channels, what needs a look, logs, checkpoints, services, history.

import { duration } from "../../page/charts.js";
import {
  bytes,
  count,
  element,
  fillList,
  fillSpans,
  fillTable,
  percent,
  rate,
  set,
  span,
  time,
} from "./table.js";

const HEALTH = { ok: "All is well", degraded: "Look at something", failing: "Something fails" };

/** Shows everything but the chosen channel. */
export function showOverview(look) {
  showSummary(look);
  showChannels(look);
  showReasons(look.health);
  showLogs(look);
  showCheckpoints(look);
  showServices(look.services ?? []);
  showHistory(look.history);
}

function showSummary({ channels, channelCount, health, place, error }) {
  const sum = (of) => channels.reduce((total, channel) => total + of(channel), 0);
  const shares = channels.map(({ occupancyBytes, sizeBytes }) => occupancyBytes / (sizeBytes || 1));
  const dead = sum((channel) => channel.dead);
  set("place", error ?? place.directory);
  set("health", error === null ? HEALTH[health.status] : "Cannot look");
  element("health").dataset.status = error === null ? health.status : "failing";
  set("channel-count", count(channelCount));
  set("message-rate", `${rate(sum(({ messagesPerSecond }) => messagesPerSecond))}/s`);
  set("byte-rate", `${bytes(sum(({ bytesPerSecond }) => bytesPerSecond))}/s`);
  set("fullest", percent(Math.max(0, ...shares)));
  set("alive", count(sum(({ producers, consumers }) => producers + consumers)));
  set("dead", count(dead));
  element("dead").dataset.look = dead > 0 ? "bad" : "";
  element("empty").hidden = channelCount > 0;
  element("channels-card").hidden = channelCount === 0;
  set("empty-place", place.directory);
  const missing = channelCount - channels.length;
  set("channels-note", missing > 0 ? `and ${count(missing)} more: mt status` : "");
}

function showChannels({ channels }) {
  fillTable("channels", channels.map(channelRow));
}

/** The address of a channel on this page. */
function addressOf(name) {
  return `#${encodeURIComponent(name)}`;
}

function channelRow(channel) {
  const { name, error, occupancyBytes, sizeBytes, behind, producers, consumers, dead } = channel;
  const link = { text: name, href: addressOf(name) };
  if (error !== null) {
    const none = { text: "–", look: "quiet" };
    const damaged = { text: "damaged", look: "bad", title: error };
    return [link, none, none, none, none, damaged, none, none, none];
  }
  const share = occupancyBytes / sizeBytes;
  const peers = `${producers} → ${consumers}`;
  return [
    link,
    rate(channel.messagesPerSecond),
    bytes(channel.bytesPerSecond),
    { text: percent(share), share, look: share >= 0.9 ? "bad" : share >= 0.5 ? "warn" : "good" },
    count(behind),
    gateCell(channel.gatedBy),
    dead > 0 ? { text: `${peers}, ${dead} dead`, look: "bad" } : peers,
    logCell(channel.log),
    channel.p99Ns === null ? { text: "–", look: "quiet" } : duration(channel.p99Ns),
  ];
}

function gateCell(gate) {
  if (gate === null) return { text: "nobody", look: "quiet" };
  if (gate.state !== "alive") return { text: `${gate.name}, ${gate.state}`, look: "bad" };
  if (gate.stalledMs < 2_000) return gate.name;
  return { text: `${gate.name}, stalled ${span(gate.stalledMs)}`, look: "warn" };
}

function logCell(log) {
  if (log === null) return { text: "–", look: "quiet" };
  if (log.state !== "running") return { text: log.state, look: "bad" };
  return log.notDurable === 0
    ? { text: "durable", look: "good" }
    : `${count(log.notDurable)} not yet`;
}

function showReasons({ reasons }) {
  element("reasons-card").hidden = reasons.length === 0;
  fillList("reasons", reasons, (item, { severity, subject, text, action }) => {
    item.dataset.look = severity === "failing" ? "bad" : "warn";
    fillSpans(item, [[subject, "subject"], [text, "text"], [action, "action"]]);
  });
}

function showLogs({ logs, logsError, place }) {
  element("logs-card").hidden = place.walDir === null;
  set("logs-note", logsError ?? place.walDir ?? "");
  fillTable(
    "logs",
    logs.map((log) => [
      { text: log.channel, href: addressOf(log.channel), title: log.directory },
      count(log.segmentCount),
      bytes(log.bytes),
      count(log.firstSequence),
      log.damage.length > 0
        ? { text: log.damage[0], look: "bad", title: log.damage.join("; ") }
        : log.isClosed
        ? { text: "closed", look: "quiet" }
        : { text: "open", look: "good" },
    ]),
  );
}

function showCheckpoints({ checkpoints, place }) {
  element("checkpoints-card").hidden = place.stateDir === null;
  set("checkpoints-note", checkpoints?.error ?? place.stateDir ?? "");
  const rows = checkpoints?.rows ?? [];
  fillTable(
    "checkpoints",
    rows.map(({ state, id, size, createdMs, cursors, damage }) => [
      state,
      id === 0 ? "–" : count(id),
      size === 0 ? "–" : bytes(size),
      createdMs === 0 ? "–" : `${span(Date.now() - createdMs)} ago`,
      damage === null ? cursors : { text: damage, look: "bad", title: damage },
    ]),
  );
}

const SERVICE_LOOKS = { alive: "good", stopped: "quiet" };

function showServices(services) {
  element("services-card").hidden = services.length === 0;
  fillTable(
    "services",
    services.map(({ instance, state, pid, startedMs }) => [
      instance,
      { text: state, look: SERVICE_LOOKS[state] ?? "bad" },
      `${pid}`,
      time(startedMs),
    ]),
  );
}

function showHistory(history) {
  element("history-none").hidden = history.length > 0;
  fillList("history", history, (item, { timeMs, kind, channel, name, pid, sequence, errno }) => {
    const who = name === "" ? "an anonymous one" : name;
    fillSpans(item, [
      [time(timeMs), "when"],
      [kind.replaceAll(/[-_]/g, " "), "what"],
      [channel, "subject"],
      [
        `${who}, process ${pid}, at ${count(sequence)}${errno > 0 ? `, error ${errno}` : ""}`,
        "text",
      ],
    ]);
  });
}
