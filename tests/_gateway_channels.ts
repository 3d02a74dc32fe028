/**
 * The channels of an exchange in tests, as whichever process comes first makes them.
 *
 * @module
 */

import { EngineEvent, OrderRequest } from "../lib/exchange/mod.ts";
import { type Channel, type ChannelOptions, createChannel } from "../mod.ts";

/** Options of both channels: small, and on the disk. */
function channelOptions(directory: string): ChannelOptions {
  return {
    ...{ directory, walDir: `${directory}/wal`, durability: "disk" },
    ...{ sizeBytes: 1024 * 1024, segmentBytes: "256KB" },
  };
}

/** Both channels, as whichever process comes first makes them. */
export function openChannels(
  directory: string,
  ordersOptions: ChannelOptions = {},
): { orders: Channel; events: Channel } {
  const options = channelOptions(directory);
  const orders = createChannel("gateway.orders", {
    ...{ ...options, ...ordersOptions, producers: "many", schema: OrderRequest },
  });
  try {
    return { orders, events: createChannel("engine.events", { ...options, schema: EngineEvent }) };
  } catch (error) {
    orders.close();
    throw error;
  }
}
