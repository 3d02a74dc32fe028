/**
 * Looks at every process of a run, and at its channels, every few seconds.
 *
 * @module
 */

import { monotonicNs } from "../../mod.ts";
import type { MarketDataClient } from "../demo/_market_data_client.ts";
import type { Pipeline } from "../demo/_pipeline.ts";
import type { Supervised } from "../services/_supervisor.ts";
import type { Lifetime } from "./_flatness.ts";
import { lookAtProcess } from "./_proc.ts";

/** Milliseconds between two looks. */
const LOOK_MS = 2_000;

/** What the channels and event loops were like. */
export interface ChannelFigures {
  /** Share of the rings that was full, at most. */
  occupancyMax: number;
  /** Bytes of the logs, first and last. They grow: the audit reads all of them at the end. */
  walBytesFirst: number;
  walBytesLast: number;
  /** Milliseconds by which the looks themselves were late, at most: this process's event loop. */
  lagMsMax: number;
  /** Milliseconds that market data took to answer a request, at most. */
  answerMsMax: number;
}

/** Watches until it is stopped. */
export class Sampler implements Disposable {
  /** Of every process that there was. */
  readonly lifetimes: Lifetime[] = [];
  /** What was seen besides. */
  readonly channels: ChannelFigures = {
    occupancyMax: 0,
    walBytesFirst: 0,
    walBytesLast: 0,
    lagMsMax: 0,
    answerMsMax: 0,
  };
  readonly #services: readonly Supervised[];
  readonly #pipeline: Pipeline;
  readonly #market: MarketDataClient;
  readonly #current = new Map<string, { lifetime: Lifetime; readyNs: number }>();
  readonly #timer: ReturnType<typeof setInterval>;
  #dueMs = performance.now() + LOOK_MS;

  /** Begins. */
  constructor(services: readonly Supervised[], pipeline: Pipeline, market: MarketDataClient) {
    this.#services = services;
    this.#pipeline = pipeline;
    this.#market = market;
    for (const service of services) this.#follow(service);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Begins a life with each ready line of a service. */
  #follow(service: Supervised): void {
    const { name } = service;
    service.ready.then(() => {
      const lifetime = { name, pid: service.pid, samples: [] };
      this.lifetimes.push(lifetime);
      this.#current.set(name, { lifetime, readyNs: monotonicNs() });
      service.restarted.then(() => this.#follow(service), () => {});
    }, () => {});
  }

  #look(): void {
    const { channels } = this;
    channels.lagMsMax = Math.max(channels.lagMsMax, performance.now() - this.#dueMs);
    this.#dueMs = performance.now() + LOOK_MS;
    for (const { name, pid } of this.#services) {
      const current = this.#current.get(name);
      if (current === undefined || current.lifetime.pid !== pid) continue;
      const use = lookAtProcess(pid);
      const ageSeconds = (monotonicNs() - current.readyNs) / 1e9;
      if (use !== undefined) current.lifetime.samples.push({ ageSeconds, ...use });
    }
    this.#lookAtChannels();
    void this.#ask();
  }

  #lookAtChannels(): void {
    const figures = this.channels;
    const { orders, events } = this.#pipeline.channels;
    let walBytes = 0;
    for (const channel of [orders, events]) {
      const { occupancy, log } = channel.stats();
      figures.occupancyMax = Math.max(figures.occupancyMax, occupancy / channel.sizeBytes);
      walBytes += log?.logBytes ?? 0;
    }
    figures.walBytesFirst ||= walBytes;
    figures.walBytesLast = walBytes;
  }

  async #ask(): Promise<void> {
    const startMs = performance.now();
    try {
      await this.#market.stats();
    } catch {
      return; // It has just been killed.
    }
    this.channels.answerMsMax = Math.max(this.channels.answerMsMax, performance.now() - startMs);
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
