/** Lets so many go at once; the others wait, first come, first served. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Whoever has got a turn releases it, once. `signal`: ends the waiting for it. @throws its reason */
  take(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const next = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(next);
    return promise;
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }

  /** Nobody has to wait any more. */
  close(): void {
    for (const next of this.#waiting.splice(0)) next();
  }
}

/** Turns of each servlet: whatever one has under way, another does not wait for it. */
export class TurnsOfEach {
  readonly #count: number;
  /** By servlet's name, while it has anything under way. */
  readonly #servlets = new Map<string, { turns: Turns; users: number }>();

  constructor(count: number) {
    this.#count = count;
  }

  /** Runs something when the servlet has a turn for it. `signal`: ends the waiting for one. @throws its reason; what `run` throws */
  async with<Result>(servlet: string, run: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const own = this.#servlets.get(servlet) ?? { turns: new Turns(this.#count), users: 0 };
    this.#servlets.set(servlet, own);
    own.users++;
    try {
      await own.turns.take(signal);
      try {
        return await run();
      } finally {
        own.turns.release();
      }
    } finally {
      if (--own.users === 0) this.#servlets.delete(servlet);
    }
  }
}
