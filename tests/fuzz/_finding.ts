/**
 * What the fuzzer and the processes that do its work tell each other.
 *
 * @module
 */

/** What a process is to do. */
export interface ChildTask {
  /** Names of targets, one after the other. */
  targets: string[];
  seed: number;
  /** Inputs of a target at most; seeds and kept cases are run anyway. None: no limit. */
  executions: Record<string, number>;
  /** Milliseconds of each target at most. */
  milliseconds: number;
  /** Only these inputs, in hexadecimal. */
  inputs?: string[];
  /** After so many a target ends. */
  findingsMax: number;
  /** All that it may write to. */
  directory: string;
  /** File with what it is at. */
  journal: string;
}

/** What must not be. */
export interface Finding {
  target: string;
  /** An error that is none of ours, the end of the process, or none. */
  kind: "error" | "crash" | "hang";
  /** The error, or how the process ended. */
  found: string;
  /** In hexadecimal. */
  input: string;
}

/** What came of a target. */
export interface Answer {
  target: string;
  executions: number;
  seconds: number;
  findings: Finding[];
  /** How often what came of the inputs. */
  outcomes: [outcome: string, count: number][];
}
