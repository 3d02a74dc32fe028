/**
 * Bytes over sockets, to a server in this process and back.
 *
 * @module
 */

/** Milliseconds in which a server has to answer or to close. Generous: the machine may be busy. */
const ANSWER_MS = 120_000;

/** Sends bytes to a server, says that these were all, and reads what it answers to its end. */
export async function exchangeBytes(port: number, bytes: Uint8Array): Promise<string> {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const watchdog = setTimeout(() => socket.close(), ANSWER_MS);
  const decoder = new TextDecoder();
  let answer = "";
  try {
    for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
    await socket.closeWrite();
    const buffer = new Uint8Array(65_536);
    for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
      if (answer.length < 4096) answer += decoder.decode(buffer.subarray(0, count));
    }
  } catch (error) {
    if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
      throw new Error(`Cannot be: no answer and no end within ${ANSWER_MS} ms`, { cause: error });
    }
    if (
      !(error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe)
    ) {
      throw error; // The server may have closed before it has read all.
    }
  } finally {
    clearTimeout(watchdog);
    try {
      socket.close();
    } catch { /* The watchdog was faster. */ }
  }
  return answer;
}
