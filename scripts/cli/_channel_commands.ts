/**
 * The commands for channels.
 *
 * @module
 */

import type { Command } from "commander";
import { resolve } from "node:path";
import { jsonText } from "../_output.ts";
import { type End, JSON_OPTION, withPlace } from "./_frame.ts";
import { findLayouts, layoutsText } from "./_layouts.ts";
import { persist, type PersistOptions } from "./_persist.ts";
import { remove, removeConsumerOf } from "./_remove.ts";
import { addStatus } from "./_status.ts";

/** Adds those that look, and change nothing. */
export function addLookCommands(program: Command): void {
  addStatus(program);
  program.command("layouts")
    .description("show the fields of messages: offset, size, alignment and type")
    .argument("[name...]", "messages to show; all without one")
    .option(...JSON_OPTION)
    .action((names: string[], { json }: { json?: boolean }) => {
      const layouts = findLayouts(names);
      console.log(json ? jsonText({ layouts }) : layoutsText(layouts));
    });
}

/** Adds those that do something. */
export function addChannelCommands(program: Command, end: End): void {
  addPersist(program, end);
  withPlace(program.command("remove"))
    .description("remove a channel's file; processes that have it open go on among themselves")
    .argument("<name>", "name of the channel")
    .action(remove);
  withPlace(program.command("remove-consumer"))
    .description("remove a consumer that never comes back; its log keeps nothing for it any more")
    .argument("<channel>", "name of the channel")
    .argument("<name>", "name of the consumer, which must not be open")
    .action(removeConsumerOf);
}

function addPersist(program: Command, end: End): void {
  withPlace(program.command("persist"))
    .description("write the log of a channel, made where there is none, until SIGTERM or SIGINT")
    .argument("<channel>", "its name")
    .requiredOption("--wal-dir <dir>", "directory of logs")
    .option("--sync <when>", '"group", "none", or a number of milliseconds', "group")
    .option("--io <kind>", '"buffered" or "direct"')
    .option("--size <size>", "of the ring, if there is none")
    .option("--segment-bytes <size>", "of a segment")
    .option("--max-bytes <size>", "of the log; no cap without it")
    .option("--when-full <action>", 'at the cap: "block" producers or "cut" the oldest segments')
    .action(async (name: string, options: PersistOptions) => {
      end(await persist(name, { ...options, walDir: resolve(options.walDir) }));
    });
}
