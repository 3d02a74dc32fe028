import { assert, assertEquals } from "@std/assert";
import { SteadyInstruments } from "../lib/exchange/gateway/steady_instruments.ts";
import { CorruptInstrumentsError, type Instrument } from "../lib/market/mod.ts";
import { newOrder, RawSocket, TestExchange } from "./_gateway.ts";

const bitcoin = { id: 1, symbol: "BTC-USD", priceDecimals: 2, quantityDecimals: 8 };
const ether = { id: 2, symbol: "ETH-USD", priceDecimals: 1, quantityDecimals: 4 };

/** Instruments that count how often somebody looks at their file. */
class CountedSource {
  looks = 0;
  isDamaged = false;
  instruments: Instrument[] = [bitcoin];

  find(symbol: string): Instrument | undefined {
    return this.all().find((instrument) => instrument.symbol === symbol);
  }

  at(id: number): Instrument | undefined {
    return this.all()[id - 1];
  }

  all(): readonly Instrument[] {
    this.looks++;
    if (this.isDamaged) throw new CorruptInstrumentsError("instruments", "damage");
    return this.instruments;
  }
}

Deno.test("SteadyInstruments looks seldom at the file, whatever it is asked for", () => {
  const source = new CountedSource();
  const instruments = new SteadyInstruments(source, () => {});
  const startMs = performance.now();
  for (let i = 0; i < 100_000; i++) {
    assertEquals(instruments.find(`NONE-${i}`), undefined);
    assertEquals(instruments.at(2 + i), undefined);
    assertEquals(instruments.find("BTC-USD"), bitcoin);
    assertEquals(instruments.at(1), bitcoin);
  }
  const seconds = (performance.now() - startMs) / 1000;
  assert(source.looks <= 22 + 20 * seconds, `${source.looks} looks in ${seconds} s`);
});

Deno.test("SteadyInstruments finds what was added, and keeps it while the file is damaged", () => {
  const source = new CountedSource();
  const damages: string[] = [];
  const instruments = new SteadyInstruments(source, ({ message }) => void damages.push(message));
  source.instruments = [bitcoin, ether];
  assertEquals(instruments.find("ETH-USD"), ether);
  assertEquals(instruments.at(2), ether);
  source.isDamaged = true;
  assertEquals(instruments.find("NONE"), undefined);
  assertEquals(instruments.at(3), undefined);
  assertEquals(instruments.all(), [bitcoin, ether]);
  assertEquals(instruments.find("BTC-USD"), bitcoin);
  assertEquals(damages.length, 1, "told once");
});

Deno.test("Gateway rejects unknown symbols while the instruments' file is damaged", async () => {
  await using exchange = new TestExchange();
  exchange.startEngine();
  const { webSocketPort } = await exchange.gateway();
  using client = await RawSocket.logon(webSocketPort);
  Deno.writeTextFileSync(exchange.instruments.path, "no instruments at all");
  for (const sequence of [1, 2, 3]) {
    client.send(newOrder(sequence, { symbol: "DOGE-USD" }));
    assertEquals((await client.next("reject")).reason, "unknown_instrument");
  }
  client.send(newOrder(4));
  assertEquals((await client.next("ack")).clientSequence, 4);
  using second = await RawSocket.logon(webSocketPort);
  assertEquals((await second.next("session")).instruments.length, 2);
  assertEquals(exchange.problems.length, 1);
  assert(exchange.problems[0]!.includes(exchange.instruments.path), exchange.problems[0]);
});
