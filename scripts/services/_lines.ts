/**
 * Lines of a pipe, as processes tell each other things.
 *
 * @module
 */

/** Hands out the lines of a stream; what follows the last newline is half a line, and left out. */
export async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
