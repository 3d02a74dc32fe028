/**
 * `mt persist`: writes the log of a channel in a process of its own, until it is told to end.
 *
 * @module
 */

import { type Channel, type ChannelOptions, createChannel, openChannel } from "../../mod.ts";
import { ScriptError, UsageError } from "../_command.ts";
import { jsonText } from "../_output.ts";
import { toSync } from "../services/_channels.ts";
import { placeOf, type PlaceOptions } from "./_frame.ts";

/** Options of the command, as they were typed. */
export interface PersistOptions extends PlaceOptions {
  walDir: string;
  sync?: string;
  io?: string;
  size?: string;
  segmentBytes?: string;
  maxBytes?: string;
  whenFull?: string;
}

/** Milliseconds between two looks whether the log has failed. */
const LOOK_MS = 500;

/**
 * Writes until SIGTERM or SIGINT; everything published by then is in the log on return.
 *
 * @returns The exit status: 1 if the log has failed.
 */
export async function persist(name: string, options: PersistOptions): Promise<number> {
  const ended = Promise.withResolvers<number>();
  const end = () => ended.resolve(0);
  Deno.addSignalListener("SIGTERM", end);
  Deno.addSignalListener("SIGINT", end);
  using channel = create(name, options);
  say(options, "persisting", channel);
  const timer = setInterval(() => {
    const { state } = channel.stats().log!;
    if (state === "failed") ended.resolve(1);
  }, LOOK_MS);
  const status = await ended.promise;
  clearInterval(timer);
  Deno.removeSignalListener("SIGTERM", end);
  Deno.removeSignalListener("SIGINT", end);
  const { errno, fault } = channel.stats().log!;
  channel.close();
  if (status === 0) {
    say(options, "closed", channel);
    return 0;
  }
  const found = fault === undefined ? `operating system error ${errno}` : `damage (${fault})`;
  throw new ScriptError(`Cannot go on writing "${channel.logDirectory}": found ${found}`);
}

function create(name: string, options: PersistOptions): Channel {
  try {
    return createChannel(name, toChannelOptions(name, options));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof RangeError || error instanceof TypeError) {
      throw new UsageError(error.message);
    }
    if (error instanceof Error && error.name !== "Error") throw new ScriptError(error.message);
    throw error;
  }
}

/** What exists says for itself what it is; the options are for what does not. */
function toChannelOptions(name: string, options: PersistOptions): ChannelOptions {
  const { walDir, sync = "group", io, size, segmentBytes, maxBytes } = options;
  const place = placeOf(options);
  const whenFull = options.whenFull as "block" | "cut" | undefined;
  if (whenFull !== undefined && maxBytes === undefined) {
    throw new UsageError("Cannot use --when-full: expected --max-bytes as well");
  }
  return {
    ...place,
    ...existing(name, place),
    walDir,
    sync: toSync(sync),
    ...(io === undefined ? {} : { io: io as "buffered" | "direct" }),
    ...(size === undefined ? {} : { sizeBytes: size }),
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(maxBytes === undefined
      ? {}
      : { retention: { maxBytes, ...(whenFull === undefined ? {} : { whenFull }) } }),
    persister: "inside",
  };
}

function existing(name: string, place: { directory?: string }): ChannelOptions {
  try {
    using channel = openChannel(name, { ...place, readOnly: true, prefault: false });
    const { alignment, timestamps, durability, producers, schemaText } = channel;
    const schema = { text: schemaText, hash: channel.identity.schemaHash };
    return {
      ...{ alignment, timestamps, durability, producers },
      ...(schemaText === "" ? {} : { schema }),
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { durability: "disk" };
    throw error;
  }
}

function say({ json }: PersistOptions, what: "persisting" | "closed", channel: Channel): void {
  const { name, logDirectory, recovered } = channel;
  const event = { event: what, channel: name, log: logDirectory, pid: Deno.pid };
  if (json) return console.log(jsonText({ ...event, recovered: recovered ?? null }));
  const standby = what === "persisting" && recovered === undefined ? ", as soon as it is free" : "";
  const verb = what === "persisting" ? "Writing" : "Closed";
  console.log(`${verb} the log "${logDirectory}" of channel "${name}"${standby}`);
}
