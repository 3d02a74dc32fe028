// A worker that writes a channel's log, and closes the channel when it is told to.

import { type ChannelOptions, createChannel } from "../mod.ts";

/** What the words of the shared array say. */
export interface OwnerTask {
  options: ChannelOptions;
  /** 1: the channel is open; 2: it is to be closed; 3: that is begun; 4: and done. */
  state: Int32Array;
}

function run({ options, state }: OwnerTask): void {
  const channel = createChannel("test", options);
  Atomics.store(state, 0, 1);
  Atomics.notify(state, 0);
  Atomics.wait(state, 0, 1);
  Atomics.store(state, 0, 3);
  channel.close();
  Atomics.store(state, 0, 4);
  Atomics.notify(state, 0);
  self.close();
}

declare const self: Worker & { close(): void };
self.onmessage = (event: MessageEvent<OwnerTask>) => run(event.data);
