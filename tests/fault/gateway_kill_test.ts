// Gateways that are killed in the middle: no order is lost or executed twice, and every client
// sees the events of its session once, in order, without a gap.

import { assert, assertEquals } from "@std/assert";
import {
  connectGateway,
  EngineEvent,
  type GatewayClient,
  KIND_ACCEPTED,
  type SessionEvent,
} from "../../lib/exchange/mod.ts";
import { isMakerOf } from "../../lib/exchange/gateway/gateway_session.ts";
import { openConsumer } from "../../mod.ts";
import { TestExchange } from "../_gateway.ts";
import { freePort } from "../_support.ts";
import { Child, IS_LONG, note, Random, seedOf, until } from "./_support.ts";

const KILLS = IS_LONG ? 200 : 6;
const CLIENTS_OF_EACH = 2;
const ORDERS_BETWEEN_KILLS = 60;

interface Place {
  id: number;
  /** Ports of the WebSocket and of TCP, the same after each start. */
  ports: number[];
  child: Child;
}

/** A client, and everything that it was told. */
class Trader {
  readonly events: SessionEvent[] = [];
  readonly acked = new Set<number>();
  readonly rejected: string[] = [];
  readonly sent: number[] = [];
  client!: GatewayClient;

  constructor(readonly random: Random) {}

  async connect(url: string): Promise<void> {
    this.client = await connectGateway({
      url,
      onEvent: (event) => void this.events.push(event),
      onAck: ({ clientSequence }) => {
        assert(!this.acked.has(clientSequence), `${clientSequence} was acknowledged twice`);
        this.acked.add(clientSequence);
      },
      onReject: ({ reason, text }) => void this.rejected.push(`${reason}: ${text}`),
      onGap: ({ from, to }) => void this.rejected.push(`gap ${from} ${to}`),
    });
  }

  /** Sends an order at one of few prices, so that many of them trade. */
  trade(): void {
    const { random } = this;
    const clientOrderId = this.sent.length + 1;
    this.sent.push(this.client.send({
      ...{ type: "new", clientOrderId, symbol: "BTC-USD", orderType: "limit" },
      side: random.below(2) === 0 ? "buy" : "sell",
      timeInForce: random.below(4) === 0 ? "ioc" : "gtc",
      price: `100.0${random.below(10)}`,
      quantity: `0.${1 + random.below(9)}`,
    }));
  }
}

async function startPlace(exchange: TestExchange, id: number, ports: number[]): Promise<Place> {
  const config = { gatewayId: id, ports, snapshotIntervalMs: 50, ordersPerSecond: 1_000_000 };
  const child = new Child("gateway", { directory: exchange.directory, ...config }, {
    directory: exchange.directory,
    permissions: ["--allow-net=127.0.0.1"],
  });
  await child.expect("ready");
  return { id, ports, child };
}

/** Every session's events as the channel has them, in order. */
function readEvents(exchange: TestExchange, sessionId: number): number[][] {
  const { events } = exchange;
  using consumer = openConsumer(events, { from: "earliest", onSlow: "spill" });
  const event = EngineEvent.accessor();
  const found: number[][] = [];
  const last = events.stats().nextSequence - 1;
  while (consumer.delivered < last) {
    consumer.poll(({ view, offset }) => {
      const { eventNumber, clientSequence, kind } = event.wrap(view, offset);
      const isMaker = isMakerOf(event, sessionId);
      if (event.sessionId !== sessionId && !isMaker) return;
      found.push([eventNumber, isMaker ? 0 : clientSequence, kind]);
    });
  }
  return found;
}

function check(exchange: TestExchange, { client, events, acked, sent, rejected }: Trader): void {
  const { sessionId } = client.session!;
  assertEquals(rejected, []);
  assertEquals(acked.size, sent.length, "an order was not acknowledged");
  assertEquals(events.map(({ number }) => number), events.map((_, index) => index + 1));
  const inChannel = readEvents(exchange, sessionId);
  assertEquals(events.map(({ eventNumber }) => eventNumber), inChannel.map(([number]) => number));
  const executed = inChannel.filter(([, , kind]) => kind === KIND_ACCEPTED)
    .map(([, clientSequence]) => clientSequence!);
  assertEquals(executed.sort((a, b) => a - b), sent, "an order was lost, or executed twice");
}

Deno.test(`two gateways, killed ${KILLS} times, lose nothing and do nothing twice`, async () => {
  const seed = seedOf(20_261_129);
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  await using exchange = new TestExchange();
  const engine = exchange.startEngine();
  // Without it the log is cut where the gateways' checkpoints do not need it.
  openConsumer(exchange.events, { name: "auditor", onSlow: "spill" }).keep(1);
  const places = [
    await startPlace(exchange, 1, [freePort(), freePort()]),
    await startPlace(exchange, 2, [freePort(), freePort()]),
  ];
  const traders: Trader[] = [];
  try {
    for (const { ports } of places) {
      for (let index = 0; index < CLIENTS_OF_EACH; index++) {
        const trader = new Trader(random);
        const url = index % 2 === 0 ? `ws://127.0.0.1:${ports[0]}/` : `tcp://127.0.0.1:${ports[1]}`;
        await trader.connect(url);
        traders.push(trader);
      }
    }
    for (let kill = 0; kill < KILLS; kill++) {
      const killAt = random.below(ORDERS_BETWEEN_KILLS);
      for (let order = 0; order < ORDERS_BETWEEN_KILLS; order++) {
        for (const trader of traders) trader.trade();
        if (order % 3 === 0) await new Promise((resolve) => setTimeout(resolve));
        if (order !== killAt) continue;
        const place = places[kill % places.length]!;
        place.child.kill();
        await place.child.ended();
        Object.assign(place, await startPlace(exchange, place.id, place.ports));
      }
    }
    for (const { client } of traders) {
      await until("all is acknowledged", () => client.unanswered === 0);
    }
    // An acknowledgement says that the order is kept, not that it was executed.
    const lastOrder = exchange.orders.stats().nextSequence - 1;
    await until("all is executed", () => engine.lastSequence === lastOrder);
    const last = exchange.events.stats().nextSequence - 1;
    for (const { client, events } of traders) {
      const own = readEvents(exchange, client.session!.sessionId);
      await until("all is told", () => events.length >= own.length);
    }
    for (const trader of traders) check(exchange, trader);
    const ids = new Set(traders.map(({ client }) => client.session!.sessionId));
    assertEquals(ids.size, traders.length, "two sessions have one id");
    note("gateway kills", KILLS);
    note("gateway kills: events", last);
  } finally {
    for (const { client } of traders) client?.close();
    for (const { child } of places) await child[Symbol.asyncDispose]();
  }
});
