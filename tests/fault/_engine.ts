/**
 * The state of the engine that is killed: a function of the sequences that it has applied.
 *
 * @module
 */

/** What it knows. */
export interface EngineState {
  count: number;
  /** Depends on every order and on their order. */
  sum: number;
}

/** Bytes of a state: large enough for several pages. */
const STATE_BYTES = 20_000;

/** The order of a sequence: its bytes tell which it is. */
export function orderOf(sequence: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + sequence % 300);
  new DataView(bytes.buffer).setFloat64(0, sequence, true);
  return bytes.fill(sequence % 251, 8);
}

/**
 * Applies an order.
 *
 * @throws {Error} If it is not the one of that sequence, or not the next one.
 */
export function applyOrder(state: EngineState, sequence: number, order: Uint8Array): void {
  const expected = orderOf(sequence);
  const isRight = order.length === expected.length &&
    order.every((byte, i) => byte === expected[i]);
  if (!isRight || sequence !== state.count + 1) {
    throw new Error(`Cannot apply order ${sequence} after ${state.count}: found another one`);
  }
  state.count = sequence;
  state.sum = sumAfter(state.sum, sequence);
}

function sumAfter(sum: number, sequence: number): number {
  return Math.imul(sum ^ sequence, 0x01000193) >>> 0;
}

/** The sum of a state that has applied all orders up to `count`. */
export function expectedSum(count: number): number {
  let sum = 0;
  for (let sequence = 1; sequence <= count; sequence++) sum = sumAfter(sum, sequence);
  return sum;
}

/** The state's bytes. */
export function packState({ count, sum }: EngineState): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(STATE_BYTES).fill(count % 251);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, count, true);
  view.setFloat64(8, sum, true);
  return bytes;
}

/** The state out of its bytes. */
export function unpackState(bytes: Uint8Array<ArrayBuffer>): EngineState {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { count: view.getFloat64(0, true), sum: view.getFloat64(8, true) };
}
