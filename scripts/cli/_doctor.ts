/**
 * `mt doctor`: what of this machine makes channels slow or unsafe, and what to do about it.
 *
 * @module
 */

import type { Command } from "commander";
import { resolve } from "node:path";
import { UsageError } from "../_command.ts";
import { jsonText, paint, printable, type Style } from "../_output.ts";
import { formatTable } from "../_table.ts";
import { examineMachine, type Line, summaryOf, type Verdict, worstOf } from "../doctor/mod.ts";
import { type End, placeOf, type PlaceOptions, withPlace } from "./_frame.ts";

interface DoctorOptions extends PlaceOptions {
  walDir?: string;
  cores?: string;
}

/** Adds the command. */
export function addDoctor(program: Command, end: End): void {
  withPlace(program.command("doctor"))
    .description("examine this machine: what makes channels slow or unsafe, and the fix")
    .option("--wal-dir <dir>", "directory of logs: its disk is examined, and its syncs are timed")
    .option("--cores <list>", 'cores for threads that spin, such as "2,3"')
    .addHelpText("after", "\nExit status: 0 all ok or warn, 1 something fails, 2 wrong arguments.")
    .action(async (options: DoctorOptions) => {
      const { walDir, cores } = options;
      const lines = await examineMachine({
        ...placeOf(options),
        walDir: walDir === undefined ? undefined : resolve(walDir),
        cores: cores === undefined ? [] : parseChosen(cores),
      });
      console.log(options.json ? jsonText(reportOf(lines)) : doctorText(lines, walDir));
      end(worstOf(lines) === "fail" ? 1 : 0);
    });
}

function reportOf(lines: readonly Line[]): Record<string, unknown> {
  return { verdict: worstOf(lines), summary: summaryOf(lines), lines };
}

function parseChosen(text: string): number[] {
  const cores = /^\d{1,4}(,\d{1,4})*$/.test(text) ? text.split(",").map(Number) : [];
  if (cores.length > 0 && new Set(cores).size === cores.length) return cores;
  throw new UsageError(`Cannot use --cores ${text}: expected numbers of different cores, as "2,3"`);
}

const STYLES: Record<Verdict, Style> = { ok: "green", warn: "yellow", fail: "red" };

function doctorText(lines: readonly Line[], walDir: string | undefined): string {
  const rows = lines.map(({ area, name, verdict, found }) => [
    ...[area, name, paint(STYLES[verdict], verdict), printable(found)],
  ]);
  const fixes = lines.filter(({ fix }) => fix !== "")
    .map(({ name, verdict, fix }) => `${paint(STYLES[verdict], name)}: ${printable(fix)}`);
  return [
    formatTable(["Area", "What", "Verdict", "Found"], rows),
    ...(fixes.length === 0 ? [] : ["", "What to do:", ...fixes]),
    "",
    paint(STYLES[worstOf(lines)], summaryOf(lines)),
    ...(walDir === undefined ? ["No disk was examined: name the logs' with --wal-dir"] : []),
  ].join("\n");
}
