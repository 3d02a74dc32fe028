// What a session is made of, without clock, socket and disk.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BinaryCodec } from "../lib/exchange/gateway/binary_codec.ts";
import { EventWindow } from "../lib/exchange/gateway/event_window.ts";
import { GatewayConnection } from "../lib/exchange/gateway/gateway_connection.ts";
import { GatewaySession } from "../lib/exchange/gateway/gateway_session.ts";
import { GatewaySessions, SESSIONS_PER_GATEWAY } from "../lib/exchange/gateway/gateway_sessions.ts";
import { Heartbeat } from "../lib/exchange/gateway/heartbeat.ts";
import {
  EngineEvent,
  FRAME_HEADER_BYTES,
  FRAME_LOGON,
  KIND_ACCEPTED,
  KIND_TRADED,
  OrderEntry,
  WireLogon,
  writeFrameHeader,
} from "../lib/exchange/mod.ts";
import { formatToken, parseToken } from "../lib/exchange/gateway/session_token.ts";
import { TokenBucket } from "../lib/exchange/gateway/token_bucket.ts";

const LIMITS = { resendWindow: 16, ordersPerSecond: 1000 };
const IDS = [1, 2, 3].map((n) => SESSIONS_PER_GATEWAY + n);

function newSessions(): GatewaySessions {
  const sessions = new GatewaySessions(1, LIMITS);
  for (const id of IDS) sessions.add({ id, tokenHash: `hash ${id}` });
  return sessions;
}

const view = new DataView(new ArrayBuffer(EngineEvent.sizeBytes));

/** An event of one session, or a trade of two. */
function eventOf(
  eventNumber: number,
  sessionId: number,
  makerSessionId = 0,
): DataView<ArrayBuffer> {
  new Uint8Array(view.buffer).fill(0);
  Object.assign(EngineEvent.accessor().wrap(view, 0), {
    ...{ kind: makerSessionId === 0 ? KIND_ACCEPTED : KIND_TRADED, eventNumber, sessionId },
    ...{ makerSessionId, clientSequence: eventNumber, orderSequence: eventNumber },
  });
  return view;
}

/** Everything that can be asked of sessions. */
function describe(sessions: GatewaySessions): unknown {
  const event = EngineEvent.accessor();
  return [...sessions.values()].map(({ id, window, lastClientSequence, releasedNumber }) => {
    const kept = Array.from({ length: window.count }, (_, index) => {
      const number = window.first + index;
      return [number, event.wrap(window.view, window.offsetOf(number)).eventNumber];
    });
    return { id, last: window.last, lastClientSequence, releasedNumber, kept };
  });
}

Deno.test("EventWindow keeps the newest events under their numbers, whatever its size", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 200 }), fc.nat(1000), (count, before) => {
    const window = new EventWindow(32, before);
    for (let number = before + 1; number <= before + count; number++) {
      assertEquals(window.push(eventOf(number, 1), 0), number);
    }
    assertEquals([window.last, window.count], [before + count, Math.min(count, 32)]);
    const event = EngineEvent.accessor();
    for (let number = window.first; number <= window.last; number++) {
      assertEquals(event.wrap(window.view, window.offsetOf(number)).eventNumber, number);
    }
  }));
});

Deno.test("GatewaySessions is the same from its image and the rest as from all events", () => {
  const step = fc.tuple(fc.nat(3), fc.nat(3)); // 3 is another gateway's session.
  const idOf = (index: number) => IDS[index] ?? 2 * SESSIONS_PER_GATEWAY + 9;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.nat(120), (steps, cut) => {
      const apply = (sessions: GatewaySessions, from: number, to: number) => {
        for (let at = from; at < Math.min(to, steps.length); at++) {
          const [taker, maker] = steps[at]!;
          const makerId = maker === taker ? 0 : idOf(maker);
          sessions.record(eventOf(at + 1, idOf(taker), makerId), 0);
        }
        sessions.release();
      };
      const whole = newSessions();
      apply(whole, 0, steps.length);
      const before = newSessions();
      apply(before, 0, cut);
      const after = newSessions();
      after.restore(before.image());
      assertEquals(describe(after), describe(before));
      apply(after, cut, steps.length);
      assertEquals(describe(after), describe(whole));
      assertEquals(after.lastOrderSequence, whole.lastOrderSequence);
    }),
    { numRuns: 200 },
  );
});

Deno.test("GatewaySessions.restore() refuses an image of another version or cut short", () => {
  const sessions = newSessions();
  for (let number = 1; number <= 5; number++) sessions.record(eventOf(number, IDS[0]!), 0);
  const image = sessions.image();
  for (let size = 0; size < image.length; size++) {
    assertThrows(() => newSessions().restore(image.slice(0, size)), RangeError);
  }
  const other = image.slice();
  other[0] = 2;
  assertThrows(() => newSessions().restore(other), RangeError, "found version 2");
});

Deno.test("GatewaySessions remembers ids that events know and its store does not", () => {
  const sessions = new GatewaySessions(1, LIMITS);
  sessions.record(eventOf(1, SESSIONS_PER_GATEWAY + 40), 0);
  sessions.record(eventOf(2, 2 * SESSIONS_PER_GATEWAY + 99), 0);
  assertEquals(sessions.highestId, SESSIONS_PER_GATEWAY + 40);
});

Deno.test("TokenBucket lets a second's worth through at once, and then the rate", () => {
  const bucket = new TokenBucket(10);
  const taken = (nowMs: number) => {
    let count = 0;
    while (bucket.take(nowMs)) count++;
    return count;
  };
  assertEquals([taken(0), taken(0)], [10, 0]);
  assertEquals(bucket.waitMs(0), 100);
  assertEquals([taken(99), taken(100), taken(350)], [0, 1, 2]);
  assertEquals(bucket.waitMs(350), 50);
  assertEquals(taken(1_000_000), 10);
  assertEquals(taken(5), 0, "a clock that goes back brings nothing");
});

/** What every look finds, at each 25 ms up to a time. */
function looksUntil(heartbeat: Heartbeat, fromMs: number, toMs: number): string[] {
  const looks: string[] = [];
  for (let nowMs = fromMs + 25; nowMs <= toMs; nowMs += 25) looks.push(heartbeat.look(nowMs));
  return looks;
}

Deno.test("Heartbeat is due after a silence, and gives the other side up after three", () => {
  const heartbeat = new Heartbeat(100, 0);
  assertEquals([heartbeat.isDue(99), heartbeat.isDue(100)], [false, true]);
  heartbeat.sent(100);
  assertEquals([heartbeat.isDue(199), heartbeat.isDue(200)], [false, true]);
  const expected = [...Array(11).fill("alive"), "silent"];
  assertEquals(looksUntil(heartbeat, 0, 300), expected);
  heartbeat.received(310);
  assertEquals(looksUntil(heartbeat, 310, 610), expected);
});

Deno.test("Heartbeat gives nobody up because its own side has stood still", () => {
  const heartbeat = new Heartbeat(100, 0);
  looksUntil(heartbeat, 0, 175);
  assertEquals(heartbeat.look(5_000), "alive"); // What came meanwhile is read only now.
  heartbeat.received(5_001);
  assertEquals(looksUntil(heartbeat, 5_001, 5_275).includes("silent"), false);
  assertEquals([heartbeat.look(6_000), heartbeat.look(7_000)], ["silent", "silent"]);
});

Deno.test("tokens come back from their text, and no other text is one", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (token) => {
    const text = formatToken(token);
    assertEquals(text.length, 43);
    assertEquals(parseToken(text)!.toHex(), token.toHex());
  }));
  for (const text of ["", "A".repeat(42), "A".repeat(44), "+".repeat(43), undefined, 7]) {
    assertEquals(parseToken(text), undefined);
  }
});

/**
 * A connection whose client sends these bytes, then nothing until the goodbye, and reads nothing.
 * Its gateway admits nobody.
 */
function connect(bytes: Uint8Array<ArrayBuffer>[]) {
  const pending = new Promise<never>(() => {});
  const goodbye = Promise.withResolvers<null>();
  const admitting = Promise.withResolvers<void>();
  const socket = {
    setNoDelay() {},
    close() {},
    closeWrite: () => pending,
    read(buffer: Uint8Array) {
      const next = bytes.shift();
      if (next === undefined) return goodbye.promise;
      buffer.set(next);
      return Promise.resolve(next.length);
    },
    write: () => pending,
  } as unknown as Deno.TcpConn;
  const reasons: string[] = [];
  const limits = { heartbeatMs: 1e6, logonTimeoutMs: 1e3, outboxBytesMax: 4096 };
  const owner = {
    limits,
    logon() {
      admitting.resolve();
      return goodbye.promise.then(() => {});
    },
    order: () => undefined,
    acknowledge() {},
    countResent() {},
    count: (reason: string) => void reasons.push(reason),
  };
  const codec = new BinaryCodec(new OrderEntry({ find: () => undefined, at: () => undefined }));
  const connection = new GatewayConnection(socket, codec, owner);
  return { connection, goodbye, limits, reasons, admitting: admitting.promise };
}

Deno.test("GatewayConnection ends where no logon comes, not where a disk is slow", async () => {
  const logon = new Uint8Array(FRAME_HEADER_BYTES + WireLogon.sizeBytes);
  writeFrameHeader(new DataView(logon.buffer), 0, FRAME_LOGON, WireLogon.sizeBytes);
  for (const bytes of [[], [logon]]) {
    const isLoggingOn = bytes.length > 0;
    const { connection, goodbye, reasons, admitting } = connect(bytes);
    const running = connection.run();
    if (isLoggingOn) await admitting;
    const nowMs = performance.now();
    connection.tick(nowMs + 60_000);
    assertEquals(reasons, [], "the gateway has stood still, and must first read what has come");
    for (let minute = 2; minute <= 3; minute++) connection.tick(nowMs + minute * 60_000);
    assertEquals(reasons, isLoggingOn ? [] : ["logon_timeout"]);
    goodbye.resolve(null);
    await running;
  }
});

Deno.test("GatewayConnection ends where its client is further behind than the window", async () => {
  const { connection, goodbye, limits, reasons } = connect([]);
  const session = new GatewaySession({ id: IDS[0]!, tokenHash: "" }, LIMITS);
  const running = connection.run();
  connection.attach(session, 0);
  let count = 0;
  while (!connection.isEnding) {
    session.record(eventOf(++count, session.id), 0);
    session.release();
    connection.pump();
    assert(connection.bufferedBytes <= limits.outboxBytesMax, "more is buffered than is allowed");
  }
  assertEquals(reasons, ["slow_client"]);
  const eventBytes = 8 + 8 + EngineEvent.sizeBytes;
  const sent = Math.ceil(limits.outboxBytesMax / 2 / eventBytes);
  assertEquals(count, sent + LIMITS.resendWindow + 1);
  goodbye.resolve(null);
  await running;
});
