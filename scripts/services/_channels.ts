/**
 * Settings that services share: channels with their logs, and servers.
 *
 * @module
 */

import { dirname } from "node:path";
import { EngineEvent, OrderRequest } from "../../lib/exchange/orders.ts";
import { findLibrary } from "../../lib/native/binary.ts";
import { isLoopback } from "../../lib/web_socket/handshake.ts";
import { type Channel, type ChannelOptions, createChannel } from "../../mod.ts";
import { UsageError } from "../_command.ts";
import { allow } from "./_permissions.ts";
import { bytes, choice, flag, integer, path, text, type Values } from "./_settings.ts";

/** Where a service's channels are, and what they are where it is the first to come. */
export const CHANNEL_SETTINGS = {
  channelPrefix: text("", "put before the names of channels: pipelines side by side have one each"),
  directory: path("directory of the ring files; that of all channels without it"),
  bufferFile: path("ring file of its own channel, <directory>/<channel>.ring: names both"),
  bufferSize: bytes(8 * 1024 * 1024, "bytes of a ring: a power of two"),
  walDir: path("directory of the logs; nothing is durable without it"),
  durability: choice(["disk", "memory"], "disk", "what is waited for, where there is a log"),
  sync: text("group", 'when a log is synced: "group", "none", or a number of milliseconds'),
  io: choice(["buffered", "direct"], "buffered", "how a log is written"),
  persister: choice(["inside", "outside"], "inside", 'who writes it; outside: "mt persist"'),
  segmentBytes: bytes(64 * 1024 * 1024, "bytes of a log's segment"),
  snapshotIntervalMs: integer(
    { min: 1, max: 1_000_000_000, byDefault: 5_000 },
    "how often cursors are written down, and checkpoints made",
  ),
};

/** Where a server listens. */
export const SERVER_SETTINGS = {
  host: text("127.0.0.1", "address to listen at"),
  port: integer({ min: 0, max: 65_535, byDefault: 0 }, "port to listen at; 0 for any that is free"),
  allowRemote: flag("allow an address that other machines reach"),
};

/** A directory for what a service itself has to remember. */
export const STATE_SETTINGS = {
  stateDir: path("directory of its checkpoints"),
  stateEvery: integer(
    { min: 1, max: Number.MAX_SAFE_INTEGER, byDefault: undefined },
    "messages after which a checkpoint is made, also between two intervals",
  ),
};

type ChannelValues = Values<typeof CHANNEL_SETTINGS>;

/** A service with more than one channel of its own has no `bufferFile`. */
type PlaceValues = Pick<ChannelValues, "directory"> & Partial<Pick<ChannelValues, "bufferFile">>;

type PrefixValues = Partial<Pick<ChannelValues, "channelPrefix">>;

/** Returns a channel's name as this pipeline has it. */
export function channelNamed({ channelPrefix = "" }: PrefixValues, name: string): string {
  return `${channelPrefix}${name}`;
}

function directoryOf({ directory, bufferFile }: PlaceValues): string | undefined {
  if (bufferFile !== undefined && directory !== undefined) {
    throw new UsageError("Cannot use directory with buffer_file: expected one of them");
  }
  return bufferFile === undefined ? directory : dirname(bufferFile);
}

/** Returns where channels are, as the functions of `mod.ts` take it. */
export function placeOf(values: PlaceValues): { directory?: string } {
  const directory = directoryOf(values);
  return directory === undefined ? {} : { directory };
}

/**
 * Returns the name of a service's own channel.
 *
 * @throws {UsageError} If `buffer_file` names no ring file.
 */
export function ownChannel(
  { bufferFile, ...prefix }: PlaceValues & PrefixValues,
  byDefault: string,
): string {
  if (bufferFile === undefined) return channelNamed(prefix, byDefault);
  const name = /([^/]+)\.ring$/.exec(bufferFile)?.[1];
  if (name !== undefined) return name;
  throw new UsageError(`Cannot use buffer_file "${bufferFile}": expected it to end in .ring`);
}

/**
 * Returns what a channel is made with.
 *
 * @throws {UsageError} If `sync` is none.
 */
export function toChannelOptions(
  values: Omit<ChannelValues, "bufferFile"> & PlaceValues,
): ChannelOptions {
  const { bufferSize, walDir, durability, io, persister, segmentBytes, snapshotIntervalMs } =
    values;
  const ring = { ...placeOf(values), sizeBytes: bufferSize };
  if (walDir === undefined) return ring;
  const sync = toSync(values.sync);
  return {
    ...{ ...ring, walDir, durability, io, persister, segmentBytes, snapshotIntervalMs },
    ...(sync === undefined ? {} : { sync }),
  };
}

/** @throws {UsageError} If it says no way to sync a log. */
export function toSync(sync: string): NonNullable<ChannelOptions["sync"]> {
  if (sync === "group" || sync === "none") return sync;
  const intervalMs = /^\d{1,7}$/.test(sync) ? Number(sync) : 0;
  if (intervalMs > 0) return { intervalMs };
  throw new UsageError(
    `Cannot use sync "${sync}": expected "group", "none", or a number of milliseconds`,
  );
}

/**
 * Opens the channels between gateways and the engine. The one that `own` names is the service's
 * own, and may be named by `buffer_file`.
 */
export function openOrderChannels(
  values: Omit<ChannelValues, "bufferFile"> & PlaceValues,
  own: "gateway.orders" | "engine.events",
  ends: DisposableStack,
): { orders: Channel; events: Channel } {
  const open = (name: typeof own, options: ChannelOptions) => {
    const named = name === own ? ownChannel(values, name) : channelNamed(values, name);
    return ends.use(createChannel(named, { ...toChannelOptions(values), ...options }));
  };
  return {
    orders: open("gateway.orders", { producers: "many", schema: OrderRequest }),
    events: open("engine.events", { schema: EngineEvent }),
  };
}

/** Permissions for channels and other directories. `isView`: it reads or writes rings in place. */
export function channelPermissions(
  values: PlaceValues & Pick<ChannelValues, "walDir">,
  { paths = [], isView = false }: { paths?: readonly (string | undefined)[]; isView?: boolean } =
    {},
): string[] {
  const places = [directoryOf(values), values.walDir, ...paths];
  return [
    ...(isView ? ["--allow-ffi"] : allow("ffi", [findLibrary()])),
    ...allow("read", places),
    ...allow("write", places),
  ];
}

/** @throws {UsageError} If others could reach a server there, and nobody has allowed that. */
export function checkHost(
  { host, allowRemote }: Pick<Values<typeof SERVER_SETTINGS>, "host" | "allowRemote">,
): void {
  if (isLoopback(host) || allowRemote) return;
  throw new UsageError(
    `Cannot listen at "${host}": expected a loopback address, or allow_remote = true`,
  );
}

/**
 * Permissions of a server.
 *
 * @throws {UsageError} As {@linkcode checkHost}.
 */
export function serverPermissions(values: Values<typeof SERVER_SETTINGS>): string[] {
  checkHost(values);
  const { host, port } = values;
  return allow("net", [port === 0 ? host : `${host}:${port}`]);
}
