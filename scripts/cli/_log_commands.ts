/**
 * The commands for logs, and for what else lies on the disk.
 *
 * @module
 */

import type { Command } from "commander";
import { resolve } from "node:path";
import { UsageError } from "../_command.ts";
import { jsonText } from "../_output.ts";
import { checkpointsPlanText, isCheckpoints, planCheckpoints } from "./_checkpoints.ts";
import { type End, JSON_OPTION } from "./_frame.ts";
import { inspectionText, inspectPath, isSound } from "./_inspect.ts";
import { showProgressAsLines } from "./_progress.ts";
import { planRecovery, planText, recover, recoveryText } from "./_recover.ts";
import { verifiedText, verifyPath } from "./_verify.ts";

interface VerifyOptions {
  json?: boolean;
  direct?: boolean;
  progress?: boolean;
}

/** Adds them. */
export function addLogCommands(program: Command, end: End): void {
  program.command("verify")
    .description(
      "verify every byte of a log, of all logs in a directory, a ring file or checkpoints",
    )
    .argument("<path>", "directory of a log, of logs, a store or checkpoints, or a ring file")
    .option("--direct", "read past the page cache, to see what is on the device")
    .option("--progress", "tell progress on stderr as lines, also where that is no terminal")
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExit status: 0 all is sound, 1 something is not, 2 wrong arguments.")
    .action(async (path: string, options: VerifyOptions) => {
      if (options.progress) showProgressAsLines();
      const results = await verifyPath(resolve(path), { direct: options.direct ?? false });
      console.log(options.json ? jsonText({ results }) : verifiedText(results));
      end(results.every(({ sound }) => sound) ? 0 : 1);
    });
  program.command("inspect")
    .description("show what a file or directory of ours holds, damaged or not")
    .argument("<path>", "ring, segment, control or torn-… file, or directory")
    .option("--limit <count>", "groups of a segment, and records of each, to show", "10")
    .option(...JSON_OPTION)
    .action(async (path: string, options: { json?: boolean; limit: string }) => {
      if (!/^\d{1,6}$/.test(options.limit)) {
        throw new UsageError(`Cannot show "${options.limit}" groups: expected a number`);
      }
      const found = await inspectPath(resolve(path), { limit: Number(options.limit) });
      console.log(options.json ? jsonText(found) : inspectionText(found));
      end(isSound(found) ? 0 : 1);
    });
  addRecover(program, end);
}

function addRecover(program: Command, end: End): void {
  program.command("recover")
    .description("open a log to write, which repairs its end, and close it")
    .argument(
      "<directory>",
      "the log's: <wal-dir>/<channel>; with --dry-run also that of checkpoints",
    )
    .option("--dry-run", "say what that would do, and write nothing")
    .option(...JSON_OPTION)
    .action(async (path: string, options: { json?: boolean; dryRun?: boolean }) => {
      if (options.dryRun) {
        if (isCheckpoints(resolve(path))) {
          const plan = await planCheckpoints(resolve(path));
          console.log(options.json ? jsonText(plan) : checkpointsPlanText(plan));
          return end(plan.states.some(({ action }) => action === "refuse") ? 1 : 0);
        }
        const plan = await planRecovery(resolve(path));
        console.log(options.json ? jsonText(plan) : planText(plan));
        return end(plan.action === "refuse" ? 1 : 0);
      }
      const found = recover(resolve(path));
      console.log(options.json ? jsonText(found) : recoveryText(found));
    });
}
