/** Thrown by a writer that would have to know which nodes lead where, and was not told to remember. */
export class WaysNeeded extends Error {}

/** Which nodes lead to which, as far as they are written. */
export class Ways {
  /** By node. */
  readonly #from: number[][] = [];
  /** Nodes from which nothing can be reached that is not filled. */
  readonly #settled = new Set<number>();
  /** Of the node that is being made or filled. */
  #current: number[] = [];

  /** Runs what makes or fills a node. @returns where that leads, for {@link add} */
  during(run: () => void, ways: number[] = []): number[] {
    const before = this.#current;
    this.#current = ways;
    run();
    this.#current = before;
    return ways;
  }

  to(node: number): void {
    this.#current.push(node);
  }

  /** Nodes come in the order of their numbers. */
  add(ways: number[]): void {
    this.#from.push(ways);
  }

  from(node: number): number[] {
    return this.#from[node]!;
  }

  /**
   * Nodes that can be reached from one, itself included, and are not filled.
   * @param stateOf what has begun to be filled and is not done holds the way to who asks, and more may come to be in it
   */
  unfilledFrom(node: number, stateOf: (node: number) => 'unfilled' | 'begun' | 'filled'): number[] {
    const found: number[] = [],
      seen = new Set([node]);
    let isSettled = true;
    for (const each of seen) {
      if (this.#settled.has(each)) continue;
      const state = stateOf(each);
      if (state !== 'filled') isSettled = false;
      if (state === 'unfilled') found.push(each);
      for (const next of this.#from[each]!) seen.add(next);
    }
    if (isSettled) for (const each of seen) this.#settled.add(each);
    return found;
  }
}
