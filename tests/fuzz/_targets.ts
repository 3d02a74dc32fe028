/**
 * The targets by their names.
 *
 * @module
 */

import type { OpenTarget } from "./_target.ts";
import * as binance from "./targets/binance.ts";
import * as counters from "./targets/counters.ts";
import * as gateway from "./targets/gateway.ts";
import * as gatewayClient from "./targets/gateway_client.ts";
import * as inspect from "./targets/inspect.ts";
import * as instruments from "./targets/instruments.ts";
import * as journal from "./targets/journal.ts";
import * as log from "./targets/log.ts";
import * as messages from "./targets/messages.ts";
import * as recording from "./targets/recording.ts";
import * as ringHeader from "./targets/ring_header.ts";
import * as ringRecord from "./targets/ring_record.ts";
import * as servers from "./targets/servers.ts";
import * as settings from "./targets/settings.ts";
import * as snapshot from "./targets/snapshot.ts";
import * as store from "./targets/store.ts";
import * as webSocket from "./targets/web_socket.ts";

/** Each by the name of its file. */
export const TARGETS: Readonly<Record<string, OpenTarget>> = {
  ring_header: ringHeader.open,
  ring_record: ringRecord.open,
  log: log.open,
  store: store.open,
  counters: counters.open,
  inspect: inspect.open,
  snapshot: snapshot.open,
  messages: messages.open,
  settings: settings.open,
  instruments: instruments.open,
  gateway: gateway.open,
  gateway_client: gatewayClient.open,
  web_socket: webSocket.open,
  servers: servers.open,
  binance: binance.open,
  recording: recording.open,
  journal: journal.open,
};
