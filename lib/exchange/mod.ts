/**
 * An exchange over channels: message layouts, a matching engine, order entry and market data.
 *
 * @module
 */

export * from "./orders.ts";
