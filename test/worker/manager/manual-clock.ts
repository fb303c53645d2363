import type { Clock } from '../../../packages/worker/src/manager/manager.ts';

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #ticks = new Set<{ every: number; next: number; tick: () => void }>();

  now(): number {
    return this.#now;
  }

  every(ms: number, tick: () => void): () => void {
    const entry = { every: ms, next: this.#now + ms, tick };
    this.#ticks.add(entry);
    return () => this.#ticks.delete(entry);
  }

  get tickCount(): number {
    return this.#ticks.size;
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#ticks].filter(({ next }) => next <= until).sort((a, b) => a.next - b.next)[0];
      if (due === undefined) break;
      this.#now = due.next;
      due.next += due.every;
      due.tick();
    }
    this.#now = until;
  }
}
