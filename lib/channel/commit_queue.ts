/**
 * Who waits until a message is durable, in the order of the messages.
 *
 * @module
 */

/** Somebody who waits. */
export interface CommitWaiter {
  sequence: number;
  resolve: (isDurable: boolean) => void;
  reject: (error: unknown) => void;
}

/**
 * Waiters by their sequence. Adding one behind all others and taking the first cost the same
 * however many wait; adding or removing one among them moves those behind it.
 */
export class CommitQueue {
  /** Ascending from `#first` on; what is before was taken. */
  #waiters: (CommitWaiter | undefined)[] = [];
  #first = 0;

  /** How many wait. */
  get size(): number {
    return this.#waiters.length - this.#first;
  }

  /** Lowest sequence that somebody waits for; `Infinity` if nobody does. */
  get lowest(): number {
    return this.#waiters[this.#first]?.sequence ?? Infinity;
  }

  /** Adds one, behind those of the same sequence. */
  add(waiter: CommitWaiter): void {
    const place = this.#placeBehind(waiter.sequence);
    if (place === this.#waiters.length) this.#waiters.push(waiter);
    else this.#waiters.splice(place, 0, waiter);
  }

  /** Takes the first one, if its sequence is not higher. */
  take(sequence: number): CommitWaiter | undefined {
    const waiter = this.#waiters[this.#first];
    if (waiter === undefined || waiter.sequence > sequence) return undefined;
    this.#waiters[this.#first++] = undefined;
    if (this.#first * 2 > this.#waiters.length) {
      this.#waiters = this.#waiters.slice(this.#first); // Each moves twice at most.
      this.#first = 0;
    }
    return waiter;
  }

  /** Removes one; false if it has been taken. */
  remove(waiter: CommitWaiter): boolean {
    for (let place = this.#placeBehind(waiter.sequence); --place >= this.#first;) {
      const other = this.#waiters[place]!;
      if (other.sequence < waiter.sequence) return false;
      if (other !== waiter) continue;
      this.#waiters.splice(place, 1);
      return true;
    }
    return false;
  }

  /** The place behind the last one whose sequence is not higher: mostly the end. */
  #placeBehind(sequence: number): number {
    let [low, high] = [this.#first, this.#waiters.length];
    if (low < high && this.#waiters[high - 1]!.sequence <= sequence) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#waiters[middle]!.sequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
