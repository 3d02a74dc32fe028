/**
 * The frame of a service: settings, a process of its own with no more permissions than it needs,
 * one line when it is ready and one when it has ended, and its end by a signal.
 *
 * `mt <service>` and the demo {@linkcode spawnService}; the process they start ends up in
 * {@linkcode serve}, and so does `deno run … scripts/services/<service>.ts`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { findLibrary } from "../../lib/native/binary.ts";
import { confine } from "../../mod.ts";
import { isFailure, runScript, ScriptError, UsageError } from "../_command.ts";
import { write } from "../_output.ts";
import type { CounterDefinitions, Counters, OwnState } from "../../lib/observability/mod.ts";
import {
  CHANNEL_SETTINGS,
  channelNamed,
  channelPermissions,
  placeOf,
  SERVER_SETTINGS,
  STATE_SETTINGS,
} from "./_channels.ts";
import { INSTRUMENT_SETTINGS } from "./_instruments.ts";
import type { MetricsServer } from "./_metrics_server.ts";
import { allow } from "./_permissions.ts";
import { type Counting, startCounting } from "./_service_counters.ts";
import {
  flag,
  integer,
  path,
  readSettings,
  type Settings,
  settingsHelp,
  type Values,
} from "./_settings.ts";

/** What a service tells about itself: text, numbers, and lists of these. */
export type Facts = Record<string, unknown>;

/** A service that runs. */
export interface RunningService {
  /** Where it is to be found, and what it has found, for its first line. */
  readonly ready: Facts;
  /** Resolves when it is done by itself, and rejects when it has failed. Default: neither. */
  readonly ended?: Promise<void>;
  /** Counts what is not counted by the batch. Called some times a second. */
  sample?(): void;
  /** Ends it: what it has taken is done with. What it has counted, if that, is its last line's. */
  stop(): Promise<Facts | void>;
}

/** A service, made by {@linkcode defineService}. */
export interface Service<
  S extends Settings = Settings,
  C extends CounterDefinitions = CounterDefinitions,
> {
  /** As `mt` and its table in a file of settings call it; its file is that, with `_` for `-`. */
  readonly name: string;
  /** Another name of its command. */
  readonly alias?: string;
  /** One line, for `mt --help`. */
  readonly summary: string;
  readonly settings: S;
  /** What it counts, beside what every service counts. */
  readonly counters: C;
  /** What its counters are called. Default: as it is. */
  instance?(values: Values<S>): string;
  /** Permissions that it needs, as flags of `deno run`. */
  permissions(values: Values<S>): string[];
  /** Starts it. What it throws tells a person what is wrong. */
  start(values: Values<S>, counters: Counters<C>): Promise<RunningService>;
}

/** Where the metrics of a service are: for other hosts there is `mt metrics`. */
const METRICS_HOST = "127.0.0.1";

/** Settings that every service has. */
export const OWN = {
  json: flag("tell what happens as JSON, a line each"),
  tied: flag("end when the standard input ends, so when the starter is gone"),
  seccomp: flag("give up system calls that it does not need, such as starting programs"),
  lockFile: path("file to lock, shared, to the end: whoever gets it alone is alone"),
  metricsPort: integer(
    { min: 1, max: 65_535, byDefault: undefined },
    `port of ${METRICS_HOST} for metrics and health; none without it`,
  ),
  help: flag("print this text"),
};

/** A service whatever its settings are. */
// deno-lint-ignore no-explicit-any
export type AnyService = Service<any, any>;

/** What a file of settings may have at its top, whoever reads it. */
const SHARED = {
  ...{ ...CHANNEL_SETTINGS, ...SERVER_SETTINGS },
  ...{ ...STATE_SETTINGS, ...INSTRUMENT_SETTINGS },
};

/**
 * Reads the settings of a service and those that every service has.
 *
 * @throws {UsageError} If a flag, a key or a value is wrong.
 * @throws {ScriptError} If the file that `--config` names cannot be read.
 */
export function settingsOf<S extends Settings>(
  { name, settings }: Pick<Service<S>, "name" | "settings">,
  args: string[],
): Values<S & typeof OWN> {
  return readSettings({ name, shared: SHARED }, { ...settings, ...OWN }, args);
}

/** Checks a service's types. */
export function defineService<S extends Settings, const C extends CounterDefinitions>(
  service: Service<S, C>,
): Service<S, C> {
  return service;
}

/** Runs a service in this process, with the arguments of the command line. Does not return. */
export async function serve<S extends Settings, C extends CounterDefinitions>(
  service: Service<S, C>,
): Promise<never> {
  return await runScript(`mt ${service.name}`, async (args) => {
    const values = settingsOf(service, args);
    const { help, json, tied, lockFile, seccomp } = values as Values<typeof OWN>;
    if (help) {
      console.log(serviceHelp(service));
      return 0;
    }
    if (lockFile !== undefined) await asFailure(lockShared(lockFile));
    const told = (event: "ready" | "stopped", facts: Facts) =>
      tell(json, { event, service: service.name, ...facts });
    const stopped = Promise.withResolvers<void>();
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => stopped.resolve());
    }
    if (tied) untilOrphaned().then(() => endOrphan(stopped.resolve));
    const own: OwnState = { state: "starting" };
    const watched = await serveOwnMetrics(values, own);
    using counting = await asFailure(countFor(service, values as Values<S>));
    const start = asFailure(service.start(values as Values<S>, counting.counters));
    const running = await Promise.race([start, stopped.promise]).catch((error) => {
      if (error instanceof UsageError) counting.withdraw();
      throw error;
    });
    if (running === undefined) {
      counting.end();
      return 0; // Nothing has begun that would have to be finished.
    }
    own.state = "running";
    counting.onSample(() => running.sample?.());
    if (seccomp) confine(); // What it starts from now on has no more than it has.
    told("ready", { pid: Deno.pid, ...running.ready });
    await asFailure(Promise.race([stopped.promise, running.ended ?? stopped.promise]));
    own.state = "stopping";
    running.sample?.(); // While there is something to look at.
    counting.onSample(() => {});
    const facts = await asFailure(running.stop());
    counting.end();
    await watched?.stop();
    told("stopped", { ...facts });
    return 0;
  });
}

/** Where its channels are, of a service that has some. */
function metricsPlace(values: object): { directory?: string } {
  const { directory, bufferFile } = values as Partial<Values<typeof CHANNEL_SETTINGS>>;
  return placeOf({ directory, bufferFile });
}

/** Serves metrics and health from the beginning: a start may take its time, if it recovers. */
async function serveOwnMetrics(
  values: Values<typeof OWN>,
  own: OwnState,
): Promise<MetricsServer | undefined> {
  const { metricsPort: port } = values;
  if (port === undefined) return undefined;
  const { serveMetrics } = await import("./_metrics_server.ts"); // Others need not load it.
  const place = { host: METRICS_HOST, port, allowRemote: false };
  return await serveMetrics({ ...place, ...metricsPlace(values), own: () => own });
}

/** Permissions for that. */
function metricsPermissions(values: Values<typeof OWN>): string[] {
  const { metricsPort } = values;
  if (metricsPort === undefined) return [];
  return [
    ...channelPermissions({ directory: undefined, ...metricsPlace(values), walDir: undefined }),
    ...allow("net", [`${METRICS_HOST}:${metricsPort}`]),
  ];
}

/** Opens the counters where the service's channels are: `async`, as what fails is told alike. */
// deno-lint-ignore require-await
async function countFor<S extends Settings, C extends CounterDefinitions>(
  service: Service<S, C>,
  values: Values<S>,
): Promise<Counting<C>> {
  const instance = service.instance?.(values) ?? service.name;
  const place = values as {
    directory: string | undefined;
    bufferFile?: string;
    channelPrefix?: string;
  };
  return startCounting(channelNamed(place, instance), service.counters, placeOf(place));
}

/** Locks a file, with others, for as long as this process lives. */
async function lockShared(file: string): Promise<void> {
  await (await Deno.open(file)).lock(false);
}

/** What the user has to mend is told in a line; a defect of ours keeps its stack. */
async function asFailure<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Error) || error instanceof ScriptError || error instanceof UsageError) {
      throw error;
    }
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw isFailure(error) ? new ScriptError(error.message) : error;
  }
}

function tell(isJson: boolean, { event, service, ...facts }: Facts): void {
  const words = Object.entries(facts).map(([name, value]) =>
    `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`
  );
  const line = isJson
    ? JSON.stringify({ event, service, ...facts })
    : `${service} ${event}: ${words.join(" ")}`;
  write(`${line}\n`); // Nobody may listen any more.
}

/** Milliseconds that an orphan has to end in good order: what it needs for that may be gone too. */
const ORPHAN_MS = 2_000;

function endOrphan(stop: () => void): void {
  stop();
  setTimeout(() => Deno.exit(1), ORPHAN_MS);
}

/** Resolves when the standard input has ended. */
async function untilOrphaned(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
}

/** Describes a service, for `--help`. */
export function serviceHelp({ name, summary, settings }: AnyService): string {
  return `Usage: mt ${name} [options]\n\n${summary}\n\n${settingsHelp({ ...settings, ...OWN })}

It prints a line when it is ready, and one when it has ended, at SIGTERM or SIGINT.
Exit status: 0 done, 1 failed, 2 wrong arguments.`;
}

/**
 * Starts a service in a process of its own, with the permissions that its settings need.
 *
 * @param args Its flags.
 * @param stdout Where its lines go. With `piped` it has a process group of its own: Ctrl-C reaches
 *     only whoever reads the lines, who knows in which order services end.
 * @throws {UsageError} If the flags are wrong.
 */
export function spawnService<S extends Settings>(
  service: Pick<Service<S>, "name" | "settings" | "permissions">,
  args: string[],
  stdout: "inherit" | "piped",
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...runArguments(service, args), ...args],
    stdin: "piped",
    stdout,
    stderr: "inherit",
    detached: stdout === "piped",
  }).spawn();
}

/**
 * Returns what Deno is started with to run a service: options, no permission more than its settings
 * need, and its script. The service's own flags follow.
 *
 * @throws {UsageError} If the flags are wrong.
 */
export function runArguments<S extends Settings>(
  service: Pick<Service<S>, "name" | "settings" | "permissions">,
  args: string[],
): string[] {
  const values = settingsOf(service, args);
  const script = new URL(`${service.name.replaceAll("-", "_")}.ts`, import.meta.url);
  const permissions = [
    ...service.permissions(values as Values<S>),
    ...metricsPermissions(values as Values<typeof OWN>),
  ];
  // The files that these name are the frame's own to read.
  const config = args.flatMap((arg, at) =>
    arg === "--config" ? args.slice(at + 1, at + 2) : /^--config=(.*)$/.exec(arg)?.[1] ?? []
  );
  const { lockFile, seccomp } = values as Values<typeof OWN>;
  permissions.push(...allow("read", [...config, lockFile]));
  const hasLibrary = permissions.some((flag) => flag.startsWith("--allow-ffi"));
  if (seccomp && !hasLibrary) permissions.push(...allow("ffi", [findLibrary()]));
  return [
    ...["run", "--no-prompt", "--quiet", `--config=${ROOT_CONFIG}`, ...widest(permissions)],
    fileURLToPath(script),
  ];
}

/** Leaves out what is part of a permission for everything: beside it, it would be all there is. */
function widest(permissions: string[]): string[] {
  return permissions.filter((flag) => {
    const [name = "", places] = flag.split("=", 2);
    return places === undefined || !permissions.includes(name);
  });
}

const ROOT_CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** Runs a service for `mt`: hands signals on, and returns its exit status. */
export async function runService(service: AnyService, args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(serviceHelp(service));
    return 0;
  }
  const child = spawnService(service, [...args, "--tied"], "inherit");
  const forward = (signal: Deno.Signal) => () => {
    try {
      child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, forward(signal));
  }
  const { code, signal } = await child.status;
  await child.stdin.abort().catch(() => {});
  if (signal !== null) {
    throw new ScriptError(`Cannot go on as the ${service.name} has ended: found ${signal}`);
  }
  return code;
}
