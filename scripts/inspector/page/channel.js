// The chosen channel: who takes part, how fast it moves, its last records.

import { amount, duration, TimeChart } from "../../page/charts.js";
import { showLog } from "./log.js";
import {
  bytes,
  count,
  element,
  fillList,
  fillSpans,
  fillTable,
  nameOf,
  percent,
  rate,
  set,
  stateCell,
  time,
} from "./table.js";

/** Seconds that the charts look back: as many as the server remembers, if it looks each second. */
const WINDOW_SECONDS = 300;

let rates;
let latency;

/** Shows a channel. `isContinued`: its samples follow those that were shown before. */
export function showChannel(chosen, isContinued) {
  element("chosen").hidden = chosen === null;
  if (chosen === null) return;
  const { name, channel } = chosen;
  set("name", name);
  showLog(chosen);
  const isReadable = channel !== null && channel.error === undefined;
  for (const part of ["rates", "latency", "consumers", "producers", "records"]) {
    element("chosen").querySelector(`.${part}`).hidden = !isReadable;
  }
  element("facts").classList.toggle("bad", channel !== null && !isReadable);
  if (!isReadable) {
    set("facts", channel === null ? "has a log, and no ring now" : channel.error);
    set("schema", channel === null ? "" : channel.bufferFile);
    return;
  }
  showFacts(channel);
  showCharts(chosen, isContinued);
  showPeers(channel);
  showRecords(chosen.newest);
}

function showFacts({ bufferFile, sizeBytes, occupancyBytes, messages, schemaText, createdMs }) {
  set(
    "facts",
    `${percent(occupancyBytes / sizeBytes)} of ${bytes(sizeBytes)} in use · ` +
      `${count(messages)} messages · made ${time(createdMs)} · ${bufferFile}`,
  );
  set("schema", schemaText === "" ? "no schema" : schemaText);
}

function showCharts({ samples, channel }, isContinued) {
  const isMeasured = channel.consumers.some(({ latency: { count } }) => count > 0);
  element("latency-note").hidden = isMeasured;
  element("latency").hidden = !isMeasured;
  // Made when they are seen first: until then they have no size.
  rates ??= new TimeChart("rates", amount, WINDOW_SECONDS);
  latency ??= new TimeChart("latency", duration, WINDOW_SECONDS);
  if (!isContinued) {
    rates.clear();
    latency.clear();
  }
  rates.append(samples.map(([timeMs, first, second]) => [timeMs / 1000, first, second]));
  latency.append(samples.map(([timeMs, , , p50, p99]) => [timeMs / 1000, p50, p99]));
}

function showPeers({ consumers, producers }) {
  const quiet = (text) => ({ text, look: "quiet" });
  fillTable(
    "consumers",
    consumers.map((one) => [
      { text: nameOf(one), title: nameOf(one) },
      stateCell(one),
      { text: count(one.lagMessages), title: bytes(one.lagBytes) },
      rate(one.messagesPerSecond),
      count(one.cursor),
      `${one.onSlow}s`,
      one.lost === 0 ? quiet("0") : { text: count(one.lost), look: "bad" },
      one.recentP50Ns === null ? quiet("–") : duration(one.recentP50Ns),
      one.recentP99Ns === null ? quiet("–") : duration(one.recentP99Ns),
      `${one.pid}`,
    ]),
  );
  fillTable(
    "producers",
    producers.map((one) => [
      { text: nameOf(one), title: nameOf(one) },
      stateCell(one),
      rate(one.messagesPerSecond),
      count(one.messages),
      count(one.backPressured),
      `${one.pid}`,
    ]),
  );
}

function showRecords({ records, notes, error }) {
  const note = error ?? notes.join("; ");
  element("records-note").hidden = note === "";
  set("records-note", note);
  fillList("records", records, (item, { sequence, bytes: size, timeMs, layout, fields, head }) => {
    const content = fields === null
      ? [[head.text ?? head.hex, head.text === undefined ? "hex" : "text"]]
      : fields.map(([name, value]) => [`${name} ${value}`, "field"]);
    fillSpans(item, [
      [count(sequence), "sequence"],
      [timeMs === null ? "" : time(timeMs), "when"],
      [layout ?? bytes(size), "layout"],
      ...content,
    ]);
  });
}
