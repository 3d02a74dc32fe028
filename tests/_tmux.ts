/**
 * A terminal for tests: tmux, on a socket of its own.
 *
 * @module
 */

/** Why there is no terminal; empty if there is one. */
export const TMUX_OBSTACLE = await obstacle();

async function obstacle(): Promise<string> {
  try {
    await new Deno.Command("tmux", { args: ["-V"] }).output();
    return "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return " (no tmux)";
    throw error;
  }
}

/** What takes longer to be seen never is. Generous, as machines may be slow. */
const WATCHDOG_MS = 300_000;
const decoder = new TextDecoder();

/** How a terminal is started. */
export interface TmuxOptions {
  /** What runs in it, for `sh`. */
  command: string;
  directory: string;
  columns: number;
  rows: number;
}

/** One terminal, which ends with its scope and takes along what runs in it. */
export class Tmux implements AsyncDisposable {
  readonly #socket = `mt-test-${crypto.randomUUID()}`;

  /** Starts a command in a terminal. */
  static async start({ command, directory, columns, rows }: TmuxOptions): Promise<Tmux> {
    const tmux = new Tmux();
    const size = ["-x", `${columns}`, "-y", `${rows}`];
    await tmux.#run("-f", "/dev/null", "new-session", "-d", ...size, "-c", directory, command);
    return tmux;
  }

  async #run(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-u", "-L", this.#socket, ...args],
    }).output();
    if (!success) throw new Error(`tmux ${args.join(" ")}: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout);
  }

  /** Presses keys, by tmux's names of them. */
  async press(...keys: string[]): Promise<void> {
    await this.#run("send-keys", ...keys);
  }

  /** Runs a command for `sh` that has no terminal. */
  async runBeside(command: string): Promise<void> {
    await this.#run("run-shell", command);
  }

  /** Makes it as large as that. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.#run("resize-window", "-x", `${columns}`, "-y", `${rows}`);
  }

  /** What it says of itself, such as `#{cursor_flag}`. */
  async ask(format: string): Promise<string> {
    return (await this.#run("display-message", "-p", format)).trim();
  }

  /** What is on it; with colours if they are wanted. */
  async screen({ isColoured = false } = {}): Promise<string> {
    return await this.#run("capture-pane", "-p", ...isColoured ? ["-e"] : []);
  }

  /** Waits until it shows something. */
  async shows(wanted: RegExp, options?: { isColoured: boolean }): Promise<string> {
    const endMs = performance.now() + WATCHDOG_MS;
    for (;;) {
      const screen = await this.screen(options);
      if (wanted.test(screen)) return screen;
      if (performance.now() > endMs) throw new Error(`${wanted} is not to be seen:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run("kill-server").catch(() => {}); // It ends with what runs in it.
  }
}
