/**
 * What a process may do without being asked.
 *
 * @module
 */

import type { Facts } from "./facts.ts";

/** CAP_IPC_LOCK and CAP_SYS_NICE, as bits of `CapEff`. */
export const CAPABILITIES = { lock: 14n, nice: 23n };

/** Whether this process has a capability. */
export function hasCapability({ texts }: Facts, bit: bigint): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(texts.process ?? "")?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) >> bit & 1n) === 1n;
}
