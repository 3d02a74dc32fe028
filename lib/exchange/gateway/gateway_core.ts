/**
 * What a gateway does with its clients' messages, whatever they come through.
 *
 * @module
 */

import type { Producer } from "../../channel/producer.ts";
import { monotonicNs } from "../../native/clock.ts";
import type { Counters } from "../../observability/counters.ts";
import type { ConnectionOwner, GatewayConnection } from "./gateway_connection.ts";
import type { GatewayDefinitions } from "./gateway_counters.ts";
import type { GatewayLimits } from "./gateway_options.ts";
import type { LogonDesk } from "./logon_desk.ts";
import { type AckBatch, OrderIntake } from "./order_intake.ts";
import { OrderRequest } from "../orders.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";
import type { InstrumentSource } from "./steady_instruments.ts";

/** Publishes orders, and has them acknowledged. */
export class GatewayCore implements ConnectionOwner {
  readonly limits: GatewayLimits;
  readonly intake: OrderIntake;
  readonly desk: LogonDesk;
  readonly instruments: InstrumentSource;
  /** Orders that were published; logons to new and to old sessions. */
  readonly counts = { orders: 0, logons: 0, resumed: 0 };
  /** Requests that were refused and connections that were ended, by reason. */
  readonly refused: Partial<Record<RefusalReason, number>> = {};
  readonly counters: Counters<GatewayDefinitions> | undefined;
  readonly #order = OrderRequest.accessor();
  #isStopping = false;

  /** Publishes by `producer`, for clients that `desk` admits. */
  constructor(
    limits: GatewayLimits,
    { producer, desk, instruments, counters }: {
      producer: Producer;
      desk: LogonDesk;
      instruments: InstrumentSource;
      counters: Counters<GatewayDefinitions> | undefined;
    },
  ) {
    this.limits = limits;
    this.desk = desk;
    this.intake = new OrderIntake(producer, (batch) => this.#countAcknowledged(batch));
    this.instruments = instruments;
    this.counters = counters;
  }

  /** Takes no more orders. */
  stop(): void {
    this.#isStopping = true;
  }

  /** See {@linkcode ConnectionOwner.logon}. */
  async logon(connection: GatewayConnection): Promise<void> {
    const { token, lastReceived } = connection.codec.message;
    const admission = await this.desk.admit(token);
    if (connection.isEnding) return;
    if ("reason" in admission) return connection.end(admission);
    const { session, isResumed } = admission;
    const { releasedNumber, lastClientSequence } = session;
    if (lastReceived > releasedNumber) {
      const text = `lastReceived: expected at most ${releasedNumber}, found ${lastReceived}`;
      return connection.end({ reason: "bad_logon", text });
    }
    this.counts[isResumed ? "resumed" : "logons"]++;
    this.counters?.update({ logons: this.counts.logons, resumed: this.counts.resumed });
    this.desk.assign(session, connection);
    const { heartbeatMs, ordersPerSecond } = this.limits;
    connection.codec.session({
      ...{ sessionId: session.id, token: admission.token, isResumed, heartbeatMs },
      ...{ lastClientSequence, lastNumber: releasedNumber, ordersPerSecond },
      instruments: this.instruments.all(),
    });
    connection.attach(session, lastReceived);
  }

  /** See {@linkcode ConnectionOwner.order}. */
  order(connection: GatewayConnection): Promise<void> | undefined {
    const { message, pauses } = connection.codec;
    const order = this.#order.wrap(message.orderView, 0, OrderRequest.sizeBytes);
    order.sessionId = connection.session!.id;
    const code = this.#offer(connection);
    if (code > 0) return undefined;
    if (pauses && !this.#isStopping) return connection.pauseFor(this.#offerLater(connection, code));
    const { refusal, retryAfterMs } = this.#isStopping
      ? { refusal: GOING_AWAY, retryAfterMs: 0 }
      : this.intake.refusalOf(code);
    connection.reject(refusal, retryAfterMs);
    return undefined;
  }

  /** Publishes the order that a connection has read. Returns its sequence, or a negative code. */
  #offer(connection: GatewayConnection): number {
    if (this.#isStopping) return -1;
    const { message } = connection.codec;
    const nowNs = monotonicNs();
    this.#order.wrap(message.orderView, 0, OrderRequest.sizeBytes).gatewayTimeNs = nowNs;
    const sequence = this.intake.offer(message.order);
    if (sequence <= 0) return sequence;
    this.counts.orders++;
    const session = connection.session!;
    session.published(message.clientSequence);
    this.desk.use(session);
    connection.published(sequence, nowNs);
    return sequence;
  }

  async #offerLater(connection: GatewayConnection, found: number): Promise<void> {
    let code = found;
    while (code <= 0 && !connection.isEnding && !this.#isStopping) {
      await this.intake.room(code);
      if (!connection.isEnding) code = this.#offer(connection);
    }
  }

  /** See {@linkcode ConnectionOwner.acknowledge}. */
  acknowledge(batch: AckBatch, connection: GatewayConnection): void {
    this.counters?.update({ orders: this.counts.orders });
    this.intake.acknowledge(batch, connection);
  }

  #countAcknowledged({ publishedNs }: AckBatch): void {
    const { counters } = this;
    if (counters === undefined) return;
    const nowNs = monotonicNs();
    for (const timeNs of publishedNs) counters.values.ackTime.record(nowNs - timeNs);
    counters.update({ acknowledged: this.intake.acknowledgedCount });
  }

  /** See {@linkcode ConnectionOwner.count}. */
  count(reason: RefusalReason): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
    this.counters?.values.refused.add();
    this.counters?.values[`refused_${reason}`].add();
  }

  /** See {@linkcode ConnectionOwner.countResent}. */
  countResent(count: number): void {
    if (count > 0) this.counters?.values.resent.add(count);
  }
}

const GOING_AWAY: Refusal = {
  reason: "going_away",
  text: "order: expected a gateway that runs, found that it stops",
};
