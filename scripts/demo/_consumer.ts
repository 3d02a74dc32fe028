/**
 * What the demo's two consumers share: receiving until the end, and how idle waiting is.
 *
 * @module
 */

import process from "node:process";
import { setImmediate, setTimeout } from "node:timers/promises";
import { type Consumer, type Message, monotonicNs, openChannel, openConsumer } from "../../mod.ts";
import { obey, placeOf, tell } from "./_child.ts";
import type { ChildSettings, Command, MarketFigures, TradeFigures } from "./_protocol.ts";
import { Reception } from "./_reception.ts";

/** What a consumer does with its messages. */
export interface Work {
  name: string;
  onSlow: "block" | "drop";
  /** Reads messages in the ring's own memory. */
  view: boolean;
  /** Takes one message. */
  take(message: Message): void;
  /** Called some times a second while messages come, to tell how things are. */
  tellProgress(): void;
  /** Says what became of the messages. */
  figures(): Promise<MarketFigures[] | TradeFigures[]>;
}

/** Milliseconds between two turns of the event loop under load, in which commands are heard. */
const TURN_MS = 50;

/** Opens the consumer, and does the work until the demo wants it to end. */
export async function runConsumer(settings: ChildSettings, work: Work): Promise<void> {
  using channel = openChannel(settings.channel, placeOf(settings));
  const { name, onSlow, view } = work;
  const reception = new Reception();
  const onGap = reception.takeGap.bind(reception);
  const consumer = openConsumer(channel, { name, onSlow, view, onGap });
  const station = new Station(consumer, work, reception);
  const conversation = obey((command) => station.obey(command)).then(() => consumer.close());
  tell({ event: "ready" });
  await Promise.race([Promise.all([conversation, station.receive()]), station.failure]);
}

class Station {
  readonly #consumer: Consumer;
  readonly #work: Work;
  readonly #reception: Reception;
  readonly #failure = Promise.withResolvers<never>();
  #lastSequence = Infinity;
  #hasFinished = false;
  #turnMs = 0;

  constructor(consumer: Consumer, work: Work, reception: Reception) {
    this.#consumer = consumer;
    this.#work = work;
    this.#reception = reception;
  }

  obey(command: Command): void {
    if (command.do === "finish") {
      this.#lastSequence = command.sequence;
      this.#finishIfDone();
    } else if (command.do === "idle") {
      measureIdle(command.seconds).catch(this.#failure.reject);
    }
  }

  /** Rejects when a command could not be carried out. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /** Delivers messages until the consumer is closed. */
  async receive(): Promise<void> {
    const handler = (message: Message) => {
      this.#reception.takeMessage(message.sequence);
      this.#work.take(message);
    };
    while (await this.#consumer.wait()) {
      this.#consumer.poll(handler);
      this.#finishIfDone();
      if (performance.now() - this.#turnMs >= TURN_MS) await this.#turn();
    }
  }

  /** Lets the event loop run: under load, `wait` never does. */
  async #turn(): Promise<void> {
    this.#work.tellProgress();
    await setImmediate();
    this.#turnMs = performance.now();
  }

  #finishIfDone(): void {
    if (this.#hasFinished || this.#reception.last < this.#lastSequence) return;
    this.#hasFinished = true;
    this.#tellFigures(monotonicNs()).catch(this.#failure.reject);
  }

  async #tellFigures(endNs: number): Promise<void> {
    const { received, lost, gaps, outOfOrder } = this.#reception;
    const figures = await this.#work.figures();
    tell({ event: "finished", received, lost, gaps, outOfOrder, endNs, figures });
  }
}

/** Measures the processor time of this process while it waits for messages. */
async function measureIdle(seconds: number): Promise<void> {
  const startMs = performance.now();
  const start = process.cpuUsage();
  await setTimeout(seconds * 1000);
  const { user, system } = process.cpuUsage(start);
  const cpuShare = (user + system) / 1000 / (performance.now() - startMs);
  tell({ event: "idle", cpuShare });
}
