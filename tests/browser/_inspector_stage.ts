/**
 * What the inspector page is shown in tests: channels with living, stalled and dead peers, logs,
 * checkpoints, and things that are damaged.
 *
 * @module
 */

import { EngineEvent } from "../../lib/exchange/mod.ts";
import { Trade } from "../../lib/market/mod.ts";
import {
  type Channel,
  createChannel,
  openCheckpoints,
  openConsumer,
  openProducer,
  type Producer,
} from "../../mod.ts";
import { inspector } from "../../scripts/services/inspector.ts";
import { spawnService } from "../../scripts/services/_service.ts";
import { encodeEvent, level } from "../_market_data.ts";
import { killChild } from "../_support.ts";

/** A name that would be more than a name, if it were not escaped. */
export const HOSTILE = "<img src=x onerror=alert(1)>";

const encoder = new TextEncoder();

/** Everything that there is to be seen, moving. */
export class InspectorStage implements AsyncDisposable {
  /** Where rings and checkpoints are. */
  readonly directory: string = Deno.makeTempDirSync();
  /** Where logs are. */
  readonly walDir: string = Deno.makeTempDirSync();
  readonly #children: Deno.ChildProcess[] = [];
  readonly #channels: Channel[] = [];
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  /** Makes a channel that ends with the stage. */
  channel(name: string, options: Parameters<typeof createChannel>[1] = {}): Channel {
    const { directory } = this;
    const channel = createChannel(name, { directory, sizeBytes: "256KB", ...options });
    this.#channels.push(channel);
    return channel;
  }

  /** Does something again and again. */
  every(ms: number, action: () => void): void {
    this.#timers.push(setInterval(action, ms));
  }

  /** Starts a consumer in a process of its own; it is killed with the stage. */
  async peer(channel: string, consumer: string): Promise<Deno.ChildProcess> {
    const script = new URL("_inspector_peer.ts", import.meta.url).href;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", script, this.directory, channel, consumer],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#children.push(child);
    const reader = child.stdout.getReader();
    await reader.read();
    reader.cancel();
    return child;
  }

  /** Starts the inspector; its address. */
  async serve(...args: string[]): Promise<{ url: string; child: Deno.ChildProcess }> {
    const place = ["--directory", this.directory, "--interval-ms", "200"];
    const child = spawnService(inspector, ["--json", ...place, ...args], "piped");
    this.#children.push(child);
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "{}" } = await lines.read();
    lines.cancel();
    return { url: JSON.parse(value).url, child };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const child of this.#children) {
      await killChild(child);
      await child.stdin.abort().catch(() => {});
    }
    for (const channel of this.#channels) channel.close();
    Deno.removeSync(this.directory, { recursive: true });
    Deno.removeSync(this.walDir, { recursive: true });
  }
}

/** A trade that is `number`-th. */
function tradeBytes(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Trade.sizeBytes);
  const trade = Trade.accessor().wrap(new DataView(bytes.buffer), 0);
  Object.assign(trade, { kind: 1, priceDecimals: 2, quantityDecimals: 4, instrumentId: 1 });
  Object.assign(trade, {
    tradeId: number,
    price: 61_685_00 + number % 97,
    quantity: 1 + number % 7,
  });
  return bytes;
}

/** Fills a stage with a market's trades, an engine's durable events, notes, and a spoilt file. */
export async function furnish(stage: InspectorStage): Promise<{ notes: Producer }> {
  const { directory } = stage;
  const trades = stage.channel("market.btc-usd", { schema: Trade, timestamps: true });
  const book = openConsumer(trades, { name: "book" });
  openConsumer(trades, { name: "archive", onSlow: "drop" });
  const feed = openProducer(trades, { name: "collector" });
  const events = stage.channel("engine.events", {
    ...{ sizeBytes: "64KB", schema: EngineEvent, timestamps: true, walDir: stage.walDir },
    ...{ durability: "disk", segmentBytes: "256KB", snapshotIntervalMs: 100 },
  });
  const data = openConsumer(events, { name: "market-data" });
  const engine = openProducer(events, { name: "matching-engine" });
  const orders = stage.channel("gateway.orders");
  openProducer(orders, { name: "gateway" }).write(encoder.encode("an order"));
  // The first is soon in the way and is detached, which is a repair; the other one stays dead.
  for (const channel of ["engine.events", "gateway.orders"]) {
    const audit = await stage.peer(channel, "audit");
    audit.kill("SIGKILL");
    await audit.status;
  }
  let number = 0;
  stage.every(20, () => {
    for (let count = 0; count < 4 + number % 3; count++) feed.offer(tradeBytes(++number));
    engine.offer(encodeEvent(level(100_00 + number % 50), ++number));
    data.poll(() => {});
    book.poll(() => {});
  });
  const noted = stage.channel("notes");
  openConsumer(noted, { name: HOSTILE });
  const notes = openProducer(noted, { name: "writer" });
  notes.write(encoder.encode(`a note, and ${HOSTILE}`));
  notes.write(Uint8Array.of(0, 1, 2, 255));
  Deno.writeTextFileSync(`${directory}/spoilt.ring`, "no ring at all");
  const checkpoints = openCheckpoints({
    directory: `${directory}/state/engine`,
    mapBytes: 1 << 20,
  });
  await checkpoints.checkpoint("books", { state: new Uint8Array(5_000), consumers: [] });
  checkpoints.close();
  return { notes };
}
