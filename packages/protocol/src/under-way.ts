/**
 * What is under way on a channel, by its id, oldest first: a few at a time, which come and go for ever.
 *
 * A `Map` would be that, and a trap for the garbage collector: it makes itself a new table every few dozen entries, and
 * each old table leads to the one after it. Once one of them is in the old generation, every later table is kept until
 * the next full collection, and so is whatever stood in it: all that a request left behind would be copied and promoted.
 */
export class UnderWay<Value> {
  readonly #ids: number[] = [];
  readonly #values: Value[] = [];

  get size(): number {
    return this.#ids.length;
  }

  get oldest(): Value | undefined {
    return this.#values[0];
  }

  /** `id` must not be there already. */
  add(id: number, value: Value): void {
    this.#ids.push(id);
    this.#values.push(value);
  }

  has(id: number): boolean {
    return this.#ids.includes(id);
  }

  get(id: number): Value | undefined {
    const at = this.#ids.indexOf(id);
    return at < 0 ? undefined : this.#values[at];
  }

  delete(id: number): boolean {
    const at = this.#ids.indexOf(id);
    if (at < 0) return false;
    if (at === 0) {
      // Most are over in their order.
      this.#ids.shift();
      this.#values.shift();
    } else {
      this.#ids.splice(at, 1);
      this.#values.splice(at, 1);
    }
    return true;
  }

  clear(): void {
    this.#ids.length = 0;
    this.#values.length = 0;
  }

  /** As they are now, oldest first: what is added or deleted meanwhile changes nothing about it. */
  values(): Value[] {
    return this.#values.slice();
  }

  entries(): [id: number, value: Value][] {
    return this.#ids.map((id, at) => [id, this.#values[at] as Value]);
  }
}
