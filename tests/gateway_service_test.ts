// `mt gateway` as a process of its own, with no more permissions than it asks for.

import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { connectGateway } from "../lib/exchange/mod.ts";
import { readCounters } from "../lib/observability/mod.ts";
import { spawnService } from "../scripts/services/_service.ts";
import { readSettings } from "../scripts/services/_settings.ts";
import { gateway } from "../scripts/services/gateway.ts";
import { restingOrder, within } from "./_gateway.ts";
import { ServiceProcess } from "./_service_process.ts";
import { freePort } from "./_support.ts";

/** Starts the service. */
function startGateway(args: string[]): ServiceProcess {
  return new ServiceProcess(spawnService(gateway, [...args, "--json"], "piped"));
}

Deno.test("mt gateway takes orders, comes back after kill -9, and ends by SIGTERM", async () => {
  const directory = Deno.makeTempDirSync();
  const args = [
    ...["--directory", directory, "--wal-dir", `${directory}/wal`, "--buffer-size", "1MB"],
    ...["--state-dir", `${directory}/state`, "--instruments-file", `${directory}/instruments`],
    ...["--instruments", "BTC-USD:2:8", "--segment-bytes", "256KB"],
    // Nobody is given up because the machine is busy.
    ...["--heartbeat-ms", "3600000", "--logon-timeout-ms", "3600000"],
  ];
  try {
    const ports = ["--port", `${freePort()}`, "--tcp-port", `${freePort()}`];
    await using first = startGateway([...args, ...ports]);
    const { event, url } = await first.event();
    assertEquals(event, "ready");
    const acked: number[] = [];
    using client = await connectGateway({
      url: `${url}`,
      onAck: ({ clientSequence }) => void acked.push(clientSequence),
    });
    client.send(restingOrder(1));
    await within("an acknowledgement", client.idle());
    assertEquals((await first.end("SIGKILL")).signal, "SIGKILL");

    client.send(restingOrder(2)); // Waits for the gateway.
    await using second = startGateway([...args, ...ports]);
    assertEquals((await second.event()).sessions, 1);
    await within("an acknowledgement", client.idle());
    assertEquals(acked, [1, 2]);
    assertEquals(client.session!.isResumed, true);
    client.close();
    const ended = second.end("SIGTERM");
    const stopped = await second.event();
    assertEquals([stopped.event, stopped.acknowledged, stopped.resumed], ["stopped", 1, 1]);
    assertEquals((await ended).code, 0);
    const [counters] = readCounters({ directory });
    assertEquals([counters?.instance, counters?.state], ["gateway", "stopped"]);
    const found = Object.fromEntries(
      counters!.values.map(({ name, value, histogram }) => [name, value ?? histogram!.count]),
    );
    // Those of the process that was killed are in it.
    assertEquals(found.gateway_orders_total, 2);
    assertEquals(found.gateway_orders_acknowledged_total, 2);
    assertEquals(found.gateway_ack_seconds, 2);
    assertEquals([found.gateway_logons_total, found.gateway_resumes_total], [1, 1]);
    assertEquals(found.gateway_refused_going_away_total, found.gateway_refused_total);
    assertEquals(found.process_starts_total, 2);
    assertGreater(found.process_cpu_seconds_total!, 0);
    assertGreater(found.process_resident_bytes!, 1e6);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("mt gateway refuses an address that others reach, unless that is allowed", () => {
  const permissions = (...args: string[]) =>
    gateway.permissions(readSettings(gateway, gateway.settings, args));
  assertThrows(() => permissions("--host", "0.0.0.0"), Error, "allow_remote = true");
  const net = (...args: string[]) =>
    permissions(...args).filter((flag) => flag.startsWith("--allow-net"));
  assertEquals(net(), ["--allow-net=127.0.0.1", "--allow-net=127.0.0.1"]);
  assertEquals(
    net("--port", "7001", "--tcp-port", "7002"),
    ["--allow-net=127.0.0.1:7001", "--allow-net=127.0.0.1:7002"],
  );
});
