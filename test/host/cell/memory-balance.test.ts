import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ProcessReading,
  type ThreadReading,
  UnexplainedMemory,
} from '../../../packages/host/src/cell/unexplained-memory.ts';

const PAGES_PER_MB = 256;
const MB = 4096 * PAGES_PER_MB;
/** Of the heap, and of what is counted beside it: in MB. */
const MOST = 40;

/** What a thread does in a stretch; all in MB. Either statistic becomes more in it, or less. */
interface Step {
  heap: number;
  /** Of garbage in the heap V8 keeps so much for the next; it gives back so much that it had kept. */
  heapKept: number;
  heapGivenBack: number;
  /** And so much of it stays in its statistics; of that it gives back so much unsaid, and says so of that much. */
  heapFree: number;
  heapFreeGivenBack: number;
  heapSaid: number;
  offHeap: 'touched' | 'untouched' | 'freed' | 'freed unsaid' | 'said';
  offHeapMb: number;
  offHeapKept: number;
  offHeapGivenBack: number;
  shared: number;
}

/** A thread by what is true of it, all in MB. */
class Model {
  heap = 0;
  heapKept = 0;
  /** Counted, with nothing in it; what of that is not there. */
  heapFree = 0;
  heapAbsent = 0;
  buffers = 0;
  buffersKept = 0;
  /** Counted, and not there: not touched yet; given back, and said at the next collection only. */
  untouched = 0;
  unsaid = 0;
  shared = 0;
  /** Touched first, until now. */
  touched = 0;
  mostHeap = 0;
  mostCounted = 0;

  get counted(): number {
    return this.buffers + this.untouched + this.unsaid;
  }

  get resident(): number {
    return this.heap + this.heapFree + this.heapKept + this.buffers + this.buffersKept + this.shared;
  }

  /** What can be hidden behind it: pages that may be kept, and what is counted without being there. */
  get excuse(): number {
    const absent = this.heapAbsent + this.untouched + this.unsaid;
    return this.mostHeap - this.heap + (this.mostCounted - this.counted) + absent;
  }

  reading(isSuspect: boolean): ThreadReading {
    const { heap, counted, touched } = this;
    const free = this.heapFree + this.heapAbsent;
    const statistics = {
      committedBytes: (heap + free + counted) * MB,
      offHeapBytes: counted * MB,
      freeHeapBytes: free * MB,
    };
    return { ...statistics, faults: touched * PAGES_PER_MB, cpuMs: touched, isSuspect, isEnding: false };
  }

  does(step: Step): void {
    this.heapKept -= Math.min(this.heapKept, step.heapGivenBack);
    this.buffersKept -= Math.min(this.buffersKept, step.offHeapGivenBack);
    this.#giveBackFree(step);
    if (step.heap > 0) this.#growHeap(Math.min(step.heap, MOST - this.heap));
    else this.#collect(Math.min(-step.heap, this.heap), step);
    this.#changeOffHeap(step);
    this.shared = Math.max(0, this.shared + step.shared);
    this.touched += Math.max(0, step.shared);
    this.mostHeap = Math.max(this.mostHeap, this.heap);
    this.mostCounted = Math.max(this.mostCounted, this.counted);
  }

  /** All that it had at the most, it has again. */
  fillUp(): void {
    this.#growHeap(this.mostHeap - this.heap);
    this.#touch(this.mostCounted - this.counted);
  }

  #growHeap(mb: number): void {
    const inFree = Math.min(mb, this.heapFree);
    const inAbsent = Math.min(mb - inFree, this.heapAbsent);
    const inKept = Math.min(mb - inFree - inAbsent, this.heapKept);
    this.heapFree -= inFree;
    this.heapAbsent -= inAbsent;
    this.heapKept -= inKept;
    this.touched += mb - inFree - inKept;
    this.heap += mb;
  }

  #collect(mb: number, { heapFree, heapKept }: Step): void {
    const free = Math.min(mb, heapFree);
    this.heap -= mb;
    this.heapFree += free;
    this.heapKept += Math.min(mb - free, heapKept);
  }

  #giveBackFree({ heapFreeGivenBack, heapSaid }: Step): void {
    this.heapAbsent -= Math.min(this.heapAbsent, heapSaid);
    const mb = Math.min(this.heapFree, heapFreeGivenBack);
    this.heapFree -= mb;
    this.heapAbsent += mb;
  }

  #changeOffHeap({ offHeap, offHeapMb, offHeapKept }: Step): void {
    const more = Math.min(offHeapMb, MOST - this.counted);
    const less = Math.min(offHeapMb, this.buffers);
    switch (offHeap) {
      case 'touched':
        return this.#touch(more);
      case 'untouched':
        this.untouched += more;
        return;
      case 'freed':
        this.buffers -= less;
        this.buffersKept += Math.min(less, offHeapKept);
        return;
      case 'freed unsaid':
        this.buffers -= less;
        this.unsaid += less;
        return;
      case 'said':
        this.unsaid = 0;
        this.untouched = 0;
    }
  }

  #touch(mb: number): void {
    const inKept = Math.min(mb, this.buffersKept);
    this.buffersKept -= inKept;
    this.touched += mb - inKept;
    this.buffers += mb;
  }
}

/** What is read of such threads, who all work. */
class Watched {
  readonly #memory = new UnexplainedMemory<Model>();
  readonly #models: Model[];

  constructor(models: Model[]) {
    this.#models = models;
    this.#memory.open(this.#process, this.#readings(true));
    this.look();
  }

  /** Their requests are over. */
  rest(): void {
    this.#memory.rest(this.#process, this.#readings(false), true);
  }

  /** They have the next ones. */
  resume(): void {
    this.#memory.resume();
    this.look();
  }

  look(): void {
    this.#memory.advance(this.#process, this.#readings(true));
  }

  chargedTo(model: Model): number {
    return this.#memory.chargedTo(model) / MB;
  }

  get #process(): ProcessReading {
    const sum = (of: (model: Model) => number): number => this.#models.reduce((all, model) => all + of(model), 0);
    return {
      rssBytes: (100 + sum(({ resident }) => resident)) * MB,
      faults: sum(({ touched }) => touched) * PAGES_PER_MB,
      leftBytes: 0,
    };
  }

  #readings(areSuspects: boolean): Map<Model, ThreadReading> {
    return new Map(this.#models.map((model) => [model, model.reading(areSuspects)]));
  }
}

const NOTHING: Step = {
  heap: 0,
  heapKept: 0,
  heapGivenBack: 0,
  heapFree: 0,
  heapFreeGivenBack: 0,
  heapSaid: 0,
  offHeap: 'said',
  offHeapMb: 0,
  offHeapKept: 0,
  offHeapGivenBack: 0,
  shared: 0,
};
const someMb = fc.oneof(fc.constant(0), fc.constant(MOST), fc.integer({ min: 0, max: MOST }));
const someStep: fc.Arbitrary<Step> = fc.record({
  heap: fc.oneof(fc.constant(0), fc.integer({ min: -MOST, max: MOST })),
  heapKept: someMb,
  heapGivenBack: someMb,
  heapFree: someMb,
  heapFreeGivenBack: someMb,
  heapSaid: someMb,
  offHeap: fc.constantFrom('touched', 'untouched', 'freed', 'freed unsaid', 'said'),
  offHeapMb: someMb,
  offHeapKept: someMb,
  offHeapGivenBack: someMb,
  shared: fc.oneof(fc.constant(0), fc.integer({ min: -20, max: 30 })),
});
/** Of a thread that takes no shared memory, and whose buffers are there as they are counted. */
const ordinary = (step: Step): Step => {
  const offHeap = step.offHeap === 'untouched' ? 'touched' : step.offHeap === 'freed unsaid' ? 'freed' : step.offHeap;
  return { ...step, offHeap, offHeapKept: 0, shared: 0 };
};
/** What may be done for one that does nothing. */
const atRest = (step: Step): Step => ({ ...ordinary(step), heap: -Math.abs(step.heap), heapKept: 0, offHeap: 'freed' });
const someSteps = fc.array(someStep, { minLength: 1, maxLength: 200, size: 'max' });

describe('MemoryBalance', () => {
  it('MemoryBalance charges a thread with its shared memory, whatever its heap and its buffers do beside it: never more, less only by what may be kept, and in the end with all', () => {
    fc.assert(
      fc.property(someSteps, (steps) => {
        const model = new Model();
        const watched = new Watched([model]);
        for (const step of steps) {
          model.does(step);
          watched.look();
          expect(watched.chargedTo(model)).toBeLessThanOrEqual(model.shared);
          expect(watched.chargedTo(model)).toBeGreaterThanOrEqual(model.shared - model.excuse);
        }
        model.does(NOTHING);
        watched.look();
        model.fillUp();
        watched.look();
        expect(watched.chargedTo(model)).toBe(model.shared);
      }),
      { numRuns: 1000 },
    );
  });

  it('MemoryBalance charges a request that takes no shared memory with nothing, whatever pages of its heap were given back before it and come again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(someStep, fc.option(someStep)), { minLength: 1, maxLength: 200, size: 'max' }),
        (steps) => {
          const model = new Model();
          const watched = new Watched([model]);
          for (const [step, before] of steps) {
            if (before !== null) {
              watched.rest();
              model.does(atRest(before));
              watched.rest();
              watched.resume();
            }
            model.does(ordinary(step));
            watched.look();
            expect(watched.chargedTo(model)).toBe(0);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('MemoryBalance charges a thread that works beside another with no more than its shared memory', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(someStep, someStep), { minLength: 1, maxLength: 100, size: 'max' }), (steps) => {
        const models = [new Model(), new Model()] as const;
        const watched = new Watched([...models]);
        for (const pair of steps) {
          models.forEach((model, index) => model.does(pair[index] as Step));
          watched.look();
          for (const model of models) expect(watched.chargedTo(model)).toBeLessThanOrEqual(model.shared);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
