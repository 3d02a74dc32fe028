// T19: every process of the pipeline is killed at random moments while orders flow. Nothing that
// was acknowledged may be lost, nothing executed twice, and everybody must agree at the end.

import { assertEquals } from "@std/assert";
import {
  EngineEvent,
  KIND_DUPLICATE,
  KIND_REJECTED,
  MatchingEngine,
  replayOrders,
} from "../../lib/exchange/mod.ts";
import { openInstruments } from "../../lib/market/mod.ts";
import { readLog } from "../../mod.ts";
import { IS_LONG, note, pause, Random, seedOf } from "../fault/_support.ts";
import { type Judgement, Scene, SESSIONS } from "./_scene.ts";

/** Kills in one pipeline. */
const ROUNDS = 25;

/** Pipelines, one after the other. */
const PIPELINES = IS_LONG ? 40 : 1;

/** It kills the gateway before any event of a session: its clients still send again. */
const FIRST_SEED = 1008;

/** Milliseconds until the next kill, at most. */
const PAUSE_MS_MAX = 150;

const VICTIMS = ["gateway", "engine", "marketData", "persister", "connection", "two"] as const;

function assertAsPromised({ verdict, outcome }: Judgement, seed: number): void {
  const { lost, duplicated, stateHashEqual, eventsEqual, sessionsWrong, booksWrong } = verdict;
  const { orders, acks, refused, unanswered, outOfOrder } = outcome.counts;
  const found = { lost, duplicated, stateHashEqual, eventsEqual, sessionsWrong, booksWrong };
  assertEquals({ ...found, acks, unanswered, outOfOrder }, {
    ...{ lost: 0, duplicated: 0, stateHashEqual: true, eventsEqual: true },
    ...{ sessionsWrong: 0, booksWrong: 0 },
    ...{ acks: orders - refused, unanswered: 0, outOfOrder: 0 },
  }, `seed ${seed}`);
}

/** Kills something, and waits until orders are answered again. */
async function round(scene: Scene, random: Random): Promise<void> {
  await pause(random.below(PAUSE_MS_MAX));
  const { pipeline, load } = scene;
  const victim = VICTIMS[random.below(VICTIMS.length)]!;
  note(`pipeline kills of ${victim}`, 1);
  if (victim === "connection") load.disconnect(random.below(SESSIONS));
  else if (victim === "two") {
    const first = random.below(pipeline.all.length);
    const second = (first + 1 + random.below(pipeline.all.length - 1)) % pipeline.all.length;
    await Promise.all([first, second].map((at) => scene.kill(pipeline.all[at]!)));
  } else await scene.kill(pipeline[victim]);
  await scene.progress();
}

/** Replays the log of requests anew, and gives it to the same engine a second time. */
function assertReplayChangesNothing({ place }: Scene, { verdict }: Judgement): void {
  const logDirectory = `${place.directory}/wal/${place.channelPrefix}gateway.orders`;
  const instruments = openInstruments(`${place.directory}/state/instruments`).all();
  const first = replayOrders({ logDirectory, instruments });
  assertEquals(first, replayOrders({ logDirectory, instruments }));
  assertEquals([first.stateHash, first.requests], [verdict.stateHash, verdict.requests]);
  const event = EngineEvent.accessor();
  let executed = 0;
  const onEvent = (view: DataView, offset: number) => {
    const { kind } = event.wrap(view, offset);
    if (kind !== KIND_DUPLICATE && kind !== KIND_REJECTED) executed++;
  };
  const engine = new MatchingEngine({ instruments, onEvent });
  const apply = (sequenceBefore: number) => {
    for (const { view, offset, sequence, length } of readLog(logDirectory)) {
      engine.apply(view, offset, sequenceBefore + sequence, length);
    }
    return [...engine.restingOrders()];
  };
  const orders = apply(0);
  executed = 0;
  assertEquals([apply(engine.lastSequence), executed], [orders, 0]);
}

for (let at = 0; at < PIPELINES; at++) {
  Deno.test(`a pipeline whose processes are killed loses and repeats nothing (${at})`, async () => {
    const seed = seedOf(FIRST_SEED + at);
    const random = new Random(seed);
    await using scene = await Scene.open(seed);
    for (let i = 0; i < ROUNDS; i++) await round(scene, random);
    const judgement = await scene.judge();
    note("pipeline orders acknowledged", judgement.verdict.acked);
    note("pipeline orders lost", judgement.verdict.lost);
    note("pipeline orders executed twice", judgement.verdict.duplicated);
    assertAsPromised(judgement, seed);
    assertReplayChangesNothing(scene, judgement);
  });
}
