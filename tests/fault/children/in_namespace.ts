/**
 * Runs another script of this folder as root of a pid namespace of its own, where pids can be
 * chosen, and ends as it does. That script needs `--allow-all`: Deno lets nothing less write below
 * /proc.
 */

interface Config {
  /** Path of Deno. */
  deno: string;
  /** Path of the script. */
  script: string;
}

const text = Deno.args[0]!;
const config: Config = JSON.parse(text);
const { code } = await new Deno.Command("unshare", {
  args: [
    ...["--pid", "--fork", "--mount-proc", "--kill-child", config.deno],
    ...["run", "--no-prompt", "--no-config", "--allow-all", config.script, text],
  ],
}).spawn().status;
Deno.exit(code);
