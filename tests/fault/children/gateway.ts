// A gateway in a process of its own, which a test kills at any time.

import { startGateway } from "../../../lib/exchange/mod.ts";
import { openInstruments } from "../../../lib/market/mod.ts";
import { openChannels } from "../../_gateway_channels.ts";
import { commands, print } from "./_lines.ts";

const { directory, gatewayId, ports, ...limits } = JSON.parse(Deno.args[0]!);
const { orders, events } = openChannels(directory);
const stateDirectory = `${directory}/gateway-${gatewayId}`;
Deno.mkdirSync(stateDirectory, { recursive: true });
const gateway = await startGateway({
  ...{ orders, events, instruments: openInstruments(`${directory}/instruments`) },
  ...{ stateDirectory, gatewayId, ...limits },
  webSocket: { port: ports[0] },
  tcp: { port: ports[1] },
});
print(`ready ${JSON.stringify([gateway.webSocketPort, gateway.tcpPort, gateway.recovered])}`);
using told = commands();
while (await told.next() !== undefined);
await gateway.stop();
orders.close();
events.close();
