/**
 * A process that ends while a Worker of its waits: by `exit`, `throw`, `terminate` (and then by
 * itself), or `terminate-exit`. Prints `open` when the Worker waits.
 */

import { print } from "./_lines.ts";
import type { WaitingConfig } from "./waiting_worker.ts";

interface Config extends WaitingConfig {
  end: "exit" | "throw" | "terminate" | "terminate-exit";
  endMs: number;
}

const config: Config = JSON.parse(Deno.args[0]!);
const worker = new Worker(new URL("./waiting_worker.ts", import.meta.url), { type: "module" });
worker.onmessage = () => {
  print("open");
  setTimeout(end, config.endMs);
};
worker.postMessage(config);

function end(): void {
  if (config.end === "throw") throw new Error("thrown on purpose");
  if (config.end !== "exit") worker.terminate();
  if (config.end !== "terminate") Deno.exit(7);
}
