/** Acknowledges, and dies in the middle of saying so again. */

import { print } from "./_lines.ts";

print("open");
print("acked 18446744073709551614");
Deno.stdout.writeSync(new TextEncoder().encode("acked 18446744073709551615"));
Deno.kill(Deno.pid, "SIGKILL");
