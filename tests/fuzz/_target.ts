/**
 * What is fuzzed: something that takes bytes of strangers.
 *
 * @module
 */

import * as ours from "../../lib/errors.ts";
import { WebSocketError } from "../../lib/web_socket/frame.ts";
import { ScriptError, UsageError } from "../../scripts/_command.ts";

/** Something that takes any bytes. */
export interface Target {
  /** Inputs that it takes; others are made of them. */
  readonly seeds: readonly Uint8Array<ArrayBuffer>[];
  /**
   * Takes an input and checks what comes of it.
   *
   * @returns What came of it, in a word: an input of which something new comes is kept and changed
   * further.
   * @throws One of our errors, if the input is refused. Any other is a finding.
   */
  run(input: Uint8Array<ArrayBuffer>): string | Promise<string>;
  /** Ends what it has begun. */
  close?(): void | Promise<void>;
}

/** Makes a target; `directory` is its own, and all that it may write to. */
export type OpenTarget = (directory: string) => Target | Promise<Target>;

/** The errors by which an input may be refused: ours, and what the operating system says. */
const REFUSALS = [
  ...Object.values(ours),
  ...[WebSocketError, ScriptError, UsageError],
  ...[Deno.errors.Busy, Deno.errors.NotFound, Deno.errors.TimedOut, Deno.errors.AlreadyExists],
];

/** Whether an error is an answer; any other is a defect. */
export function isRefusal(error: unknown): error is Error {
  return REFUSALS.some((kind) => error instanceof kind);
}

/** What came of an input by which an error was thrown, without what differs from case to case. */
export function outcomeOf({ name, message }: Error): string {
  const said = message.replace(/"[^"]*"/g, '""').replace(/0x[0-9a-f]+|\d+/g, "0");
  return `${name}: ${said.slice(0, 120)}`;
}

/** A check by a target: what must not be, and is. */
export function must(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new Error(`Cannot be: ${what}`);
}
