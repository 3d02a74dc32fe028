/**
 * The demo's side of the conversation with one child process.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { ScriptError } from "../_command.ts";
import { readLines } from "../services/_lines.ts";
import type { ChildSettings, Command, Event, EventOf } from "./_protocol.ts";

/** How a child is started. */
export interface ProcessOptions {
  /** For messages to people. */
  name: string;
  /** File of this folder. */
  script: string;
  /** Permissions, as flags of `deno run`. */
  permissions: string[];
  settings: ChildSettings;
  /** Takes the events that nobody waits for. */
  onTop?: (event: EventOf<"top">) => void;
}

const encoder = new TextEncoder();

/** A running child. */
export class ChildProcess {
  /** For messages to people. */
  readonly name: string;
  /** Rejects when the child fails or ends before it was told to. */
  readonly failure: Promise<never>;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #waiting = new Map<Event["event"], PromiseWithResolvers<Event>>();
  readonly #onTop: ((event: EventOf<"top">) => void) | undefined;
  #isEnding = false;

  /** Starts it. */
  constructor({ name, script, permissions, settings, onTop }: ProcessOptions) {
    this.name = name;
    this.#onTop = onTop;
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-config", "--no-lock", ...permissions],
        ...[path, JSON.stringify(settings)],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.failure = this.#listen();
    this.failure.catch(() => {}); // Heard by whoever waits; nobody may be waiting just then.
  }

  async #listen(): Promise<never> {
    for await (const line of readLines(this.#process.stdout)) {
      const event = JSON.parse(line) as Event;
      if (event.event === "failed") {
        throw new ScriptError(`Cannot go on as the ${this.name} failed: ${event.message}`);
      }
      if (event.event === "top") this.#onTop?.(event);
      else this.#slot(event.event).resolve(event);
    }
    if (this.#isEnding) return await new Promise<never>(() => {});
    const { code, signal } = await this.#process.status;
    const how = signal ?? `exit status ${code}`;
    throw new ScriptError(`Cannot go on as the ${this.name} has ended: found ${how}`);
  }

  #slot(name: Event["event"]): PromiseWithResolvers<Event> {
    const known = this.#waiting.get(name);
    if (known !== undefined) return known;
    const slot = Promise.withResolvers<Event>();
    this.#waiting.set(name, slot);
    return slot;
  }

  /** Waits for an event; each comes once. For ever, where the child fails: see `failure`. */
  async expect<Name extends Event["event"]>(name: Name): Promise<EventOf<Name>> {
    return await this.#slot(name).promise as EventOf<Name>;
  }

  /** Asks the child to do something. */
  async send(command: Command): Promise<void> {
    // A child that has gone is told of by `failure`.
    await this.#input.write(encoder.encode(`${JSON.stringify(command)}\n`)).catch(() => {});
  }

  /** Tells the child to end, and waits for that. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.send({ do: "end" });
    await this.#process.status;
  }

  /** Ends the child, whatever it is doing; also one that is stopped. May come after its end. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
    await this.#process.status;
    await this.#input.abort().catch(() => {});
  }
}
