// A gateway whose disk fails: what may be lost is acknowledged to nobody, and comes again.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { openInstruments } from "../../lib/market/mod.ts";
import { openChannel } from "../../mod.ts";
import { HEARTBEAT_MS, newOrder, RawSocket, within } from "../_gateway.ts";
import { Child, TestDirectory, testUnless, until } from "./_support.ts";
import { straceObstacle, type Trace } from "./_trace.ts";

const noTrace = await straceObstacle();

const SEGMENT = "wal/gateway.orders/00000001-00000000000000000001.wal";

async function start(directory: string, trace?: Trace): Promise<{ child: Child; port: number }> {
  const child = new Child("gateway", {
    directory,
    gatewayId: 1,
    ports: [0, 0],
    heartbeatMs: HEARTBEAT_MS,
    logonTimeoutMs: HEARTBEAT_MS,
  }, {
    ...{ directory, permissions: ["--allow-net=127.0.0.1"] },
    ...(trace === undefined ? {} : { trace }),
  });
  const [port] = JSON.parse(await child.expect("ready"));
  return { child, port };
}

testUnless(
  noTrace,
  "Gateway acknowledges nothing after a failed sync, and takes it when restarted",
  async () => {
    using directory = new TestDirectory();
    const { path } = directory;
    openInstruments(`${path}/instruments`)
      .intern("BTC-USD", { priceDecimals: 2, quantityDecimals: 8 });
    const segment = `${path}/${SEGMENT}`;
    const trace = {
      log: `${path}/strace`,
      faults: ["fdatasync:error=EIO"],
      calls: ["fdatasync"],
      paths: [`${segment}.broken`],
    };
    const broken = await start(path, trace);
    await using _broken = broken.child;
    using client = await RawSocket.logon(broken.port);
    const { token } = await client.next("session");
    client.send(newOrder(1));
    await client.next("ack");
    {
      // An idle log is synced once more, and then not before there is another order.
      using orders = openChannel("gateway.orders", { directory: path, readOnly: true });
      await until("the log has settled", () => orders.stats().log!.groups === 2);
    }
    Deno.renameSync(segment, `${segment}.broken`); // From now on its syncs fail.
    client.send(newOrder(2));
    const error = await client.next("error");
    assertEquals(error.reason, "log_failed");
    assertStringIncludes(error.text, "(5)"); // EIO
    assertEquals(client.told.filter(({ type }) => type === "ack"), []);
    await within("the end", client.closed);

    using again = await RawSocket.logon(broken.port, { token }); // It is alive, and says no.
    again.send(newOrder(2));
    const reject = await again.next("reject");
    assertEquals([reject.reason, reject.clientSequence, reject.retryAfterMs], [
      ...["log_failed", 2, 1000],
    ]);
    broken.child.kill();
    await broken.child.ended();
    Deno.renameSync(`${segment}.broken`, segment);

    const mended = await start(path);
    await using _mended = mended.child;
    using back = await RawSocket.logon(mended.port, { token });
    assertEquals((await back.next("session")).isResumed, true);
    back.send(newOrder(2));
    assertEquals((await back.next("ack")).clientSequence, 2);
  },
);
