/**
 * How a child talks to its test: lines on stdout, written at once, and commands on stdin.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Writes a line before it returns, so that what was told survives a kill. */
export function print(line: string): void {
  const bytes = encoder.encode(`${line}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/** What the test has told so far. */
export interface Commands extends Disposable {
  /** Whether it said `stop`, or went away. */
  readonly isStopped: boolean;
  /** Waits for the next command; undefined when there will be none. */
  next(): Promise<string | undefined>;
}

/** Listens to the test. Keeps the process alive until it is disposed of. */
export function commands(): Commands {
  const reader = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
  const lines: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let isStopped = false;
  let isDisposed = false;
  const take = (line: string | undefined) => {
    if (line === undefined || line === "stop") isStopped = true;
    const resolve = waiting.shift();
    if (resolve !== undefined) resolve(line);
    else if (line !== undefined) lines.push(line);
  };
  const listen = async () => {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return take(undefined);
      const parts = (rest + value).split("\n");
      rest = parts.pop()!;
      parts.forEach(take);
    }
  };
  listen().catch((error) => {
    if (!isDisposed) throw error;
  });
  return {
    get isStopped() {
      return isStopped;
    },
    next() {
      if (lines.length > 0) return Promise.resolve(lines.shift());
      if (isStopped) return Promise.resolve(undefined);
      return new Promise((resolve) => waiting.push(resolve));
    },
    [Symbol.dispose]() {
      isDisposed = true;
      void reader.cancel();
    },
  };
}
