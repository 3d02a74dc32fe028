/**
 * Units for systemd: `deno task gen:units` writes deploy/systemd/ (docs/operations.md).
 *
 * What Deno permits a service is taken from the service itself, so that its unit cannot permit
 * anything else.
 *
 * @module
 */

import { runGenerator } from "./_generated_files.ts";
import { ROOT } from "./_zig.ts";
import { type AnyService, runArguments } from "./services/_service.ts";
import { collector } from "./services/collector.ts";
import { gateway } from "./services/gateway.ts";
import { journal } from "./services/journal.ts";
import { marketData } from "./services/market_data.ts";
import { matchingEngine } from "./services/matching_engine.ts";
import { metrics } from "./services/metrics.ts";
import { persister } from "./services/persister.ts";

/** Where the checkout is on the machine that runs it, and Deno. */
const HOME = "/opt/message_transport";
const DENO = "/usr/bin/deno";

/** Directories that systemd makes. */
const RUN = "/run/message_transport";
const STATE = "/var/lib/message_transport";

const CHANNELS = ["--directory", RUN];
const LOGGED = [...CHANNELS, "--wal-dir", `${STATE}/wal`];
const INSTRUMENTS = ["--instruments-file", `${STATE}/instruments/instruments`];
/** The persister writes all logs: whoever else ends, they go on. */
const OUTSIDE = ["--persister", "outside"];

/** A unit, before it is written. */
interface Unit {
  service: AnyService;
  /** Where paths and addresses are: what Deno's permissions follow from. */
  args: string[];
  /** Further flags. */
  rest?: string[];
  /** Whether one unit has many instances, each with its name as `%i`. */
  isTemplate?: boolean;
  /** What it may connect to or listen at. */
  network: "none" | "loopback" | "internet";
  /** Lines of [Service] of its own. */
  lines?: string[];
}

/** Open files: connections, and then some. */
const MANY_FILES = ["LimitNOFILE=65536"];

const UNITS: Unit[] = [
  {
    service: gateway,
    args: [
      ...[...LOGGED, ...INSTRUMENTS, ...OUTSIDE, "--state-dir", `${STATE}/gateway`],
      ...["--port", "7001", "--tcp-port", "7002"],
    ],
    network: "loopback",
    lines: MANY_FILES,
  },
  {
    service: matchingEngine,
    args: [...LOGGED, ...INSTRUMENTS, ...OUTSIDE, "--state-dir", `${STATE}/engine`],
    network: "none",
  },
  {
    service: marketData,
    args: [
      ...[...LOGGED, ...INSTRUMENTS, ...OUTSIDE, "--state-dir", `${STATE}/market-data`],
      ...["--port", "7003"],
    ],
    network: "loopback",
    lines: MANY_FILES,
  },
  { service: persister, args: LOGGED, network: "none" },
  { service: collector, args: [...CHANNELS, ...INSTRUMENTS, "--live"], network: "internet" },
  {
    service: journal,
    args: [...CHANNELS, "--journal-dir", `${STATE}/journal`],
    rest: ["--channel", "%i"],
    isTemplate: true,
    network: "none",
  },
  { service: metrics, args: [...LOGGED, "--port", "9464"], network: "loopback" },
];

/** What each kind of network lets through. */
const NETWORKS: Record<Unit["network"], string[]> = {
  none: ["RestrictAddressFamilies=AF_UNIX", "IPAddressDeny=any", "PrivateNetwork=yes"],
  loopback: [
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "IPAddressDeny=any",
    "IPAddressAllow=localhost",
  ],
  internet: ["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"],
};

/**
 * Left out with a reason: MemoryDenyWriteExecute (V8 compiles), ProcSubset (the boot id is in
 * /proc/sys), PrivateUsers (ring files belong to a user), WatchdogSec (nothing reports).
 */
const HARDENING = [
  "NoNewPrivileges=yes",
  "UMask=0077",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "ProtectProc=invisible",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "ProtectControlGroups=yes",
  "PrivateTmp=yes",
  "PrivateDevices=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "RemoveIPC=no",
  "CapabilityBoundingSet=",
  "AmbientCapabilities=",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service seccomp membarrier futex_waitv",
  "SystemCallFilter=~@privileged",
  "SystemCallErrorNumber=EPERM",
];

function commandOf({ service, args, rest = [] }: Unit): string {
  const words = [...runArguments(service, [...args, "--seccomp"]), ...args, "--seccomp", ...rest];
  const command = words.flatMap(eachPlace).map((word) => word.replaceAll(ROOT, `${HOME}/`));
  return [DENO, ...command, "$MT_ARGS"].join(" ")
    .replaceAll(/ (--|\/opt\/)/g, " \\\n  $1");
}

/** Writes a permission for several places as several, a line each. */
function eachPlace(word: string): string[] {
  const [flag, places] = word.split("=", 2);
  if (!flag!.startsWith("--allow-") || places === undefined) return [word];
  return places.split(",").map((place) => `${flag}=${place}`);
}

function textOf(unit: Unit): string {
  const { service: { name }, isTemplate, network, lines = [] } = unit;
  return [
    '# Written by "deno task gen:units". Settings go into the file that EnvironmentFile names, as',
    "# MT_ARGS=--flag value …; what concerns paths and ports into a copy of this unit.",
    "[Unit]",
    `Description=message_transport: ${name}${isTemplate ? " of %i" : ""}`,
    "After=network.target",
    "",
    "[Service]",
    "Type=exec",
    "User=message_transport",
    "Group=message_transport",
    `EnvironmentFile=-/etc/message_transport/${name}.env`,
    `Environment=DENO_DIR=${HOME}/.deno DENO_NO_UPDATE_CHECK=1`,
    `WorkingDirectory=${HOME}`,
    `ExecStart=${commandOf(unit)}`,
    "Restart=on-failure",
    "RestartSec=1",
    "TimeoutStopSec=90",
    "RuntimeDirectory=message_transport",
    "RuntimeDirectoryMode=0700",
    "# The rings outlive whoever ends, and are others' as well.",
    "RuntimeDirectoryPreserve=yes",
    `StateDirectory=message_transport`,
    "StateDirectoryMode=0700",
    ...lines,
    ...HARDENING,
    ...NETWORKS[network],
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

const USER = `# Written by "deno task gen:units". Install it in /usr/lib/sysusers.d.
u message_transport - "message_transport services" ${STATE}
`;

/** The files of deploy/systemd/: their texts by their names. */
export function unitFiles(): Record<string, string> {
  const units = UNITS.map((unit) => [
    `message-transport-${unit.service.name}${unit.isTemplate ? "@" : ""}.service`,
    textOf(unit),
  ]);
  return Object.fromEntries([...units, ["message_transport.conf", USER]]);
}

if (import.meta.main) {
  const files = Object.entries(unitFiles()).map(([name, text]) => ({
    path: `deploy/systemd/${name}`,
    make: () => text,
  }));
  await runGenerator(
    "gen:units",
    "deploy/systemd/: a unit for each service, and their user",
    files,
  );
}
