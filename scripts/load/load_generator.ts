/**
 * Clients of a gateway that send made-up orders at a fixed rate, and keep account of what they were
 * told.
 *
 * @module
 */

import { GatewayClient, type SessionEvent } from "../../lib/exchange/mod.ts";
import type { Timer } from "../../lib/observability/mod.ts";
import { monotonicNs } from "../../mod.ts";
import { type AccountCounts, SessionAccount, type SessionReport } from "./account.ts";
import { type SessionInstrument, toClientRequest } from "./_client_request.ts";
import { Latency, type PartedLatency } from "./latency.ts";
import { type FlowRequest, OrderFlow } from "./order_flow.ts";
import { pace } from "./pace.ts";
import type { LoadCounts } from "./counts.ts";

/** What is sent, and where. */
export interface LoadOptions {
  /** The gateway's address: `ws://…` or `tcp://…`. */
  url: string;
  /** Requests a second, of all sessions together. */
  rate: number;
  sessions: number;
  seed: number;
  /** Milliseconds from the start in which latencies are counted apart. */
  apartMs: number;
  /** What counts latencies: those of open counters. */
  timers: { ack: Timer; answer: Timer };
}

/** What has come of it. */
export interface LoadOutcome {
  counts: LoadCounts;
  sessions: SessionReport[];
  /** From when a request should have been sent: until it was durable, and until it was answered. */
  latency: { ack: PartedLatency; answer: PartedLatency };
}

/** What all sessions share. */
interface Shared {
  flow: OrderFlow;
  instruments: readonly SessionInstrument[];
  latency: { ack: Latency; answer: Latency };
}

/** A request that is on its way. */
interface Pending {
  dueNs: number;
  /** Of a new or replaced order; 0 in a cancel. */
  clientOrderId: number;
  isAcked: boolean;
  isAnswered: boolean;
}

/** One client: sends requests, and takes what it is told. */
class LoadSession {
  readonly client: GatewayClient;
  sent = 0;
  refused = 0;
  reconnects = 0;
  readonly #index: number;
  readonly #pending = new Map<number, Pending>();
  #account: SessionAccount | undefined;
  #shared: Shared | undefined;
  #settled: PromiseWithResolvers<void> | undefined;
  #progress = { after: Infinity, reached: Promise.withResolvers<void>() };

  constructor(url: string, index: number) {
    this.#index = index;
    this.client = new GatewayClient({
      url,
      onEvent: (event) => this.#takeEvent(event),
      onAck: ({ clientSequence }) => this.#takeAck(clientSequence),
      onReject: ({ clientSequence }) => this.#takeReject(clientSequence ?? 0),
      onGap: ({ to }) => this.#account?.takeGap(to),
      onState: (state) => void (this.reconnects += state === "connecting" ? 1 : 0),
    });
  }

  /** Begins: there is a session now, and it has no orders yet. */
  begin(shared: Shared): void {
    this.#shared = shared;
    const scales = shared.instruments.map((instrument) => [instrument.symbol, instrument] as const);
    this.#account = new SessionAccount(new Map(scales));
  }

  get counts(): AccountCounts {
    return this.#account!.counts;
  }

  /** Requests that were acknowledged, and not answered yet. */
  get unanswered(): number {
    return [...this.#pending.values()].filter(({ isAcked }) => isAcked).length;
  }

  send(request: FlowRequest, dueNs: number): void {
    this.sent++;
    const instrument = this.#shared!.instruments[request.instrument]!;
    const clientSequence = this.client.send(toClientRequest(request, instrument, dueNs));
    const { clientOrderId } = request;
    this.#pending.set(clientSequence, { dueNs, clientOrderId, isAcked: false, isAnswered: false });
  }

  /** Asks for what only gets an answer: behind it, everything before has been told. */
  sendLast(): void {
    this.sent++;
    const { symbol } = this.#shared!.instruments[0]!;
    const request = { type: "cancel", symbol, targetOrderId: Number.MAX_SAFE_INTEGER } as const;
    const dueNs = monotonicNs();
    this.#pending.set(this.client.send(request), {
      ...{ dueNs, clientOrderId: 0, isAcked: false, isAnswered: false },
    });
  }

  /** Waits until every request is acknowledged and answered, or refused. */
  async settled(): Promise<void> {
    if (this.#pending.size === 0) return;
    this.#settled ??= Promise.withResolvers();
    await this.#settled.promise;
  }

  /** Resolves when a request is answered that is sent from now on. */
  async progress(): Promise<void> {
    this.#progress = { after: this.client.clientSequence, reached: Promise.withResolvers() };
    await this.#progress.reached.promise;
  }

  /** What the audit needs. */
  report(): SessionReport {
    return this.#account!.report(this.client.session!.sessionId);
  }

  #takeAck(clientSequence: number): void {
    this.#account!.takeAck(clientSequence);
    const pending = this.#pending.get(clientSequence);
    if (pending === undefined) return;
    this.#shared!.latency.ack.record(pending.dueNs, monotonicNs());
    pending.isAcked = true;
    if (pending.isAnswered) this.#forget(clientSequence);
  }

  #takeEvent(event: SessionEvent): void {
    const closed = this.#account!.takeEvent(event);
    if (closed !== undefined) this.#shared!.flow.closed(this.#index, closed);
    const pending = this.#pending.get(event.clientSequence);
    if (pending === undefined || pending.isAnswered) return;
    this.#shared!.latency.answer.record(pending.dueNs, monotonicNs());
    pending.isAnswered = true;
    if (event.clientSequence > this.#progress.after) this.#progress.reached.resolve();
    if (pending.isAcked) this.#forget(event.clientSequence);
  }

  #takeReject(clientSequence: number): void {
    this.refused++;
    const pending = this.#pending.get(clientSequence);
    if (pending === undefined) return;
    this.#shared!.flow.closed(this.#index, pending.clientOrderId);
    this.#forget(clientSequence);
  }

  #forget(clientSequence: number): void {
    this.#pending.delete(clientSequence);
    if (this.#pending.size > 0) return;
    this.#settled?.resolve();
    this.#settled = undefined;
  }
}

/** Milliseconds for what is on its way at the end; what is not answered then is told. */
const SETTLE_MS_MAX = 60_000;

/** Sends orders until it is stopped. Made by {@linkcode startLoad}. */
export class LoadGenerator {
  readonly #sessions: readonly LoadSession[];
  readonly #shared: Shared;
  readonly #stop = new AbortController();
  readonly #startNs = monotonicNs();
  readonly #done: Promise<void>;

  /** Begins to send: all sessions are there. */
  constructor(sessions: readonly LoadSession[], { rate, seed, apartMs, timers }: LoadOptions) {
    this.#sessions = sessions;
    const { instruments } = sessions[0]!.client.session!;
    const untilNs = this.#startNs + apartMs * 1e6;
    this.#shared = {
      flow: new OrderFlow({ seed, sessions: sessions.length, instruments }),
      instruments,
      latency: {
        ack: new Latency(timers.ack, untilNs),
        answer: new Latency(timers.answer, untilNs),
      },
    };
    for (const session of sessions) session.begin(this.#shared);
    let next = 0;
    this.#done = pace({ rate, signal: this.#stop.signal }, (dueNs) => {
      const index = next++ % sessions.length;
      sessions[index]!.send(this.#shared.flow.next(index), dueNs);
    });
  }

  /** Rejects if it cannot go on. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** Resolves when a request is answered that is sent from now on, in each session. */
  async progress(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.progress()));
  }

  /** Cuts the connection of a session, as a network would. */
  disconnect(session: number): void {
    this.#sessions[session]!.client.disconnect();
  }

  /** Ends at once, whatever is on its way. */
  abandon(): void {
    this.#stop.abort();
    for (const { client } of this.#sessions) client.close();
  }

  /** Sends no more, waits until everything was answered, and returns what has come of it. */
  async stop(): Promise<LoadOutcome> {
    this.#stop.abort();
    await this.#done;
    const overdue = Promise.withResolvers<void>();
    const timer = setTimeout(overdue.resolve, SETTLE_MS_MAX);
    const settled = async () => {
      await Promise.all(this.#sessions.map((session) => session.settled()));
      // Nothing more happens to anyone's orders: the last words of each are behind all others.
      for (const session of this.#sessions) session.sendLast();
      await Promise.all(this.#sessions.map((session) => session.settled()));
    };
    await Promise.race([settled(), overdue.promise]);
    clearTimeout(timer);
    const outcome = this.#outcome();
    this.abandon();
    return outcome;
  }

  #outcome(): LoadOutcome {
    const { ack, answer } = this.#shared.latency;
    return {
      counts: this.counts(),
      sessions: this.#sessions.map((session) => session.report()),
      latency: { ack: ack.summary(), answer: answer.summary() },
    };
  }

  /** What has come of it so far. */
  counts(): LoadCounts {
    const sessions = this.#sessions;
    const sum = (of: (session: LoadSession) => number) =>
      sessions.reduce((total, session) => total + of(session), 0);
    return {
      orders: sum(({ sent }) => sent),
      refused: sum(({ refused }) => refused),
      acks: sum(({ counts }) => counts.acked),
      accepted: sum(({ counts }) => counts.accepted),
      rejected: sum(({ counts }) => counts.rejected),
      duplicates: sum(({ counts }) => counts.duplicates),
      fills: sum(({ counts }) => counts.fills),
      outOfOrder: sum(({ counts }) => counts.outOfOrder),
      reconnects: sum(({ reconnects }) => reconnects),
      unanswered: sum(({ unanswered }) => unanswered),
      seconds: (monotonicNs() - this.#startNs) / 1e9,
    };
  }
}

/** Opens the sessions, and begins to send. */
export async function startLoad(options: LoadOptions): Promise<LoadGenerator> {
  const sessions = Array.from(
    { length: options.sessions },
    (_, index) => new LoadSession(options.url, index),
  );
  await Promise.all(sessions.map(({ client }) => client.opened));
  return new LoadGenerator(sessions, options);
}
