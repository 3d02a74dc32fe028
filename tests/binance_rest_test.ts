import { assert, assertEquals, assertGreaterOrEqual, assertRejects } from "@std/assert";
import { backOffMs, Budget } from "../lib/market/collector/back_off.ts";
import { BinanceRest, type BinanceRestOptions } from "../lib/market/binance/binance_rest.ts";
import { FakeExchange } from "../lib/market/fake_exchange/fake_exchange.ts";

const NEVER = new AbortController().signal;
const BACK_OFF = { minMs: 1, maxMs: 5 };

/** A server that answers with the next of some answers, and then the last again. */
async function withServer(
  answers: Response[],
  body: (url: string, requests: string[]) => Promise<void>,
): Promise<void> {
  const requests: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    requests.push(request.url.slice(request.url.indexOf("/", 8)));
    return (answers.length > 1 ? answers.shift()! : answers[0]!).clone();
  });
  await body(`http://127.0.0.1:${server.addr.port}`, requests);
}

function restOf(url: string, options: Partial<BinanceRestOptions> = {}): BinanceRest {
  const patient = { timeoutMs: 120_000, backOff: BACK_OFF };
  return new BinanceRest({ url, market: "spot", ...patient, ...options });
}

Deno.test("BinanceRest.scales() reads the steps of spot and futures", async () => {
  for (const market of ["spot", "futures"] as const) {
    const symbols = ["BTCUSDT", "ETHUSDT"];
    await using exchange = await FakeExchange.start({ symbols, market, rateHz: 0 });
    const scales = await restOf(exchange.restUrl, { market }).scales(["ETHUSDT"], NEVER);
    assertEquals([...scales], [["ETHUSDT", { priceDecimals: 2, quantityDecimals: 5 }]]);
    const rest = restOf(exchange.restUrl, { market });
    await assertRejects(() => rest.scales(["NOPE"], NEVER), RangeError, "NOPE");
  }
});

Deno.test("BinanceRest.scales() insists on JSON, and refuses steps that are none", async () => {
  const info = (tickSize: unknown, stepSize: unknown) =>
    Response.json({
      symbols: [null, {
        symbol: "A",
        filters: [
          null,
          { filterType: "PRICE_FILTER", tickSize },
          { filterType: "LOT_SIZE", stepSize },
        ],
      }],
    });
  const garbage = ["", "{", "null", "[]", '{"symbols":7}'].map((text) => new Response(text));
  await withServer([...garbage, info("1.00000000", "0.00000100")], async (url, requests) => {
    const scales = await restOf(url).scales(["A"], NEVER);
    assertEquals([...scales], [["A", { priceDecimals: 0, quantityDecimals: 6 }]]);
    assertEquals(requests.length, 6);
    assertEquals(requests[0], "/api/v3/exchangeInfo?symbols=%5B%22A%22%5D");
  });
  for (const step of ["0", "0.00", "", "1e-2", "-1", 0.01, null, undefined]) {
    await withServer([info(step, "1")], async (url) => {
      await assertRejects(() => restOf(url).scales(["A"], NEVER), RangeError, "no steps");
    });
  }
});

Deno.test("BinanceRest waits as long as a refusal says, with everything that it asks", async () => {
  const headers = { "Retry-After": "1" };
  const refusal = (status: number) => new Response("{}", { status, headers });
  const answers = [refusal(429), new Response("a"), refusal(418), new Response("b")];
  await withServer(answers, async (url) => {
    const rest = restOf(url);
    for (const text of ["a", "b"]) {
      const startMs = performance.now();
      assertEquals(await rest.snapshot("A", NEVER), text);
      assertGreaterOrEqual(performance.now() - startMs, 990);
    }
    assertEquals(rest.counts, { requests: 4, answered: 2, limited: 2, failed: 0 });
  });
});

Deno.test("BinanceRest asks again after errors, and tells them", async () => {
  const answers = [500, 502, 301].map((status) => new Response("oh", { status }));
  await withServer([...answers, new Response("{}")], async (url, requests) => {
    const troubles: string[] = [];
    const onTrouble = (cause: string) => void troubles.push(cause);
    const rest = restOf(url, { onTrouble, depthLimit: 5_000, market: "futures" });
    assertEquals(await rest.snapshot("A", NEVER), "{}");
    assertEquals(troubles, ["status 500", "status 502", "status 301"]);
    assertEquals(requests.at(-1), "/fapi/v1/depth?symbol=A&limit=5000");
  });
  const refusal = new Response('{"code":-1121}', { status: 400 });
  await withServer([refusal], async (url) => {
    await assertRejects(() => restOf(url).scales(["A"], NEVER), RangeError, "-1121");
  });
  await withServer([refusal, new Response("{}")], async (url) => {
    assertEquals(await restOf(url).snapshot("A", NEVER), "{}", "it may be a mistake of a moment");
  });
});

Deno.test("BinanceRest gives up when it is told to, whatever it waits for", async () => {
  const refusal = new Response("{}", { status: 429, headers: { "Retry-After": "100000" } });
  await withServer([refusal], async (url) => {
    const stop = new AbortController();
    const rest = restOf(url);
    const asking = [rest.snapshot("A", stop.signal), rest.snapshot("B", stop.signal)];
    while (rest.counts.limited === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort(new RangeError("enough"));
    for (const answer of await Promise.allSettled(asking)) assertEquals(answer.status, "rejected");
  });
});

Deno.test("Budget.spend() waits until the span has room again", async () => {
  const budget = new Budget(3, 100);
  const startMs = performance.now();
  for (const cost of [1, 2]) await budget.spend(cost, NEVER);
  await budget.spend(2, NEVER);
  assertGreaterOrEqual(performance.now() - startMs, 99);
  await budget.spend(1_000, NEVER); // As much as there is.
  assertGreaterOrEqual(performance.now() - startMs, 198);
  await assertRejects(() => budget.spend(1, AbortSignal.abort(new RangeError("no"))), Error);
});

Deno.test("backOffMs() doubles up to its bound, less up to a half", () => {
  const bounds = { minMs: 100, maxMs: 3_000 };
  for (let failures = 1; failures < 2_000; failures++) {
    const wholeMs = Math.min(3_000, 100 * 2 ** (failures - 1));
    const ms = backOffMs(failures, bounds);
    assert(ms > wholeMs / 2 && ms <= wholeMs, `${ms} after ${failures}`);
  }
});
