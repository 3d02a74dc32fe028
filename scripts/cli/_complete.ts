/**
 * `mt complete`: completion for shells. Prints the script for one; the script asks back, by
 * `mt complete -- <words>`, what may stand where the cursor is.
 *
 * The scripts let the shell expand what they are answered. So nothing is answered that a shell
 * could take for more than a word: names of consumers and files are others' to choose.
 *
 * @module
 */

import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";
import { listChannels, openChannel } from "../../mod.ts";
import { OPTIONS as DEMO_OPTIONS } from "../demo.ts";
import { OWN } from "../services/_service.ts";
import { type Settings, toFlag } from "../services/_settings.ts";
import { metrics } from "../services/metrics.ts";
import { SERVICES } from "../services/mod.ts";
import { layoutNames } from "../records/decoder.ts";
import { placeOf } from "./_frame.ts";

type Root = ReturnType<typeof tab>;
type Words = (give: (word: string, description: string) => void) => void;

/** What no shell takes for more than a word. */
const SAFE = /^[\w.:@%+,=/-]+$/;

/** Adds the command. Last of all, as it goes through those that are there. */
export function addComplete(program: Command, args: readonly string[]): void {
  const root = tab(program);
  const command = program.commands.find((one) => one.name() === "complete")!;
  command.description("print the completion script of a shell: bash, zsh or fish")
    .usage("<bash|zsh|fish>")
    .addHelpText("after", HELP);
  if (args[0] === "complete" && args[1] === "bash") console.log(BASH_WORDS);
  if (args[0] === "complete" && args[1] === "--") addWords(root, args.slice(2));
}

const HELP = `
bash:  echo 'source <(mt complete bash)' >> ~/.bashrc
zsh:   echo 'source <(mt complete zsh)' >> ~/.zshrc
fish:  mt complete fish > ~/.config/fish/completions/mt.fish
It needs mt on the PATH, as deno install puts it there.`;

/** What the script for bash takes from the package bash-completion, for where that is missing. */
const BASH_WORDS = `declare -F _get_comp_words_by_ref > /dev/null ||
_get_comp_words_by_ref() {
    words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD
    cur=\${words[cword]}; prev=\${words[cword - 1]}
}`;

/** Tells what may stand in the places that commander knows nothing of. */
function addWords(root: Root, typed: readonly string[]): void {
  addServiceOptions(root);
  const words = placesOf(typed);
  for (const [path, command] of root.commands) {
    for (const [name, argument] of command.arguments) {
      const handler = words[`${path} ${name}`] ?? words[name];
      if (handler !== undefined) argument.handler = handler;
    }
    for (const [name, option] of command.options) {
      const handler = words[`--${name}`];
      if (handler !== undefined && !option.isBoolean) option.handler = handler;
    }
  }
}

/** By the argument, or the command and the argument, or the option. */
function placesOf(typed: readonly string[]): Record<string, Words> {
  const at = typed.indexOf("--directory");
  const place = placeOf(at < 0 ? {} : { directory: typed[at + 1] ?? "." });
  const paths = pathsLike(typed.at(-1) ?? "");
  const channels = given(() => listChannels(place).map(({ name }) => name));
  const consumers = given(() => consumersOf(typed.slice(0, -1), place));
  return {
    "channel": channels,
    "remove name": channels,
    "remove-consumer name": consumers,
    "layouts name": given(layoutNames),
    "--layout": given(layoutNames),
    "--sync": given(() => ["group", "none"]),
    "--io": given(() => ["buffered", "direct"]),
    "--when-full": given(() => ["block", "cut"]),
    "path": paths,
    "directory": paths,
    "journal": paths,
    "--directory": paths,
    "--wal-dir": paths,
    "--config": paths,
  };
}

/** What cannot be had is no word. */
function given(find: () => readonly string[]): Words {
  return (give) => {
    try {
      for (const word of find()) if (SAFE.test(word)) give(word, "");
    } catch (error) {
      if (!(error instanceof Error) || error.name === "Error") throw error;
    }
  };
}

/** Consumers of the channel that was typed, which is the last word that is one. */
function consumersOf(typed: readonly string[], place: { directory?: string }): string[] {
  const names = listChannels(place).map(({ name }) => name);
  const name = typed.findLast((word) => names.includes(word));
  if (name === undefined) return [];
  using channel = openChannel(name, { ...place, readOnly: true, prefault: false });
  return channel.stats().consumers.map(({ name }) => name)
    .filter((name) => name !== "" && !name.startsWith("mt."));
}

/** Files and directories that begin so. */
function pathsLike(prefix: string): Words {
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  return given(() =>
    [...Deno.readDirSync(folder === "" ? "." : folder)]
      .map(({ name, isDirectory }) => `${folder}${name}${isDirectory ? "/" : ""}`)
      .filter((path) => path.startsWith(prefix))
  );
}

/** Those that services and the demo read by themselves. */
function addServiceOptions(root: Root): void {
  for (const { name, alias, settings } of [...SERVICES, metrics]) {
    for (const command of [name, ...alias === undefined ? [] : [alias]]) {
      const found = root.commands.get(command) ?? root.command(command, "");
      found.option("config", "file of settings", () => {});
      const all: Settings = { ...settings, ...OWN };
      for (const [key, { help, placeholder }] of Object.entries(all)) {
        if (placeholder === "") found.option(toFlag(key), help);
        else found.option(toFlag(key), help, wordsIn(placeholder));
      }
    }
  }
  for (const [name, { type }] of Object.entries(DEMO_OPTIONS)) {
    const found = root.commands.get("demo")!;
    if (type === "boolean") found.option(name, "");
    else found.option(name, "", () => {});
  }
}

/** Of `<a|b>`, a and b. */
function wordsIn(placeholder: string): Words {
  const words = placeholder.includes("|") ? placeholder.slice(1, -1).split("|") : [];
  return (give) => words.forEach((word) => give(word, ""));
}
