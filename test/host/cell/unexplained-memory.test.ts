import { describe, expect, it } from 'vitest';
import {
  type ProcessReading,
  NEWBORN,
  type ThreadReading,
  UnexplainedMemory,
} from '../../../packages/host/src/cell/unexplained-memory.ts';

const MB = 1 << 20;
const PAGES_PER_MB = 256;

/** A process whose threads do what the test says, and what is then read of it. */
class Scene {
  readonly memory = new UnexplainedMemory<string>();
  readonly #threads = new Map<string, ThreadReading>();
  readonly #process = { rssBytes: 100 * MB, faults: 0, leftBytes: 0 };
  /** Where the kernel says nothing of faults. */
  readonly #hasFaults: boolean;

  constructor(threads: Record<string, { isSuspect?: boolean }>, hasFaults = true) {
    this.#hasFaults = hasFaults;
    for (const [name, { isSuspect = false }] of Object.entries(threads)) this.#add(name, isSuspect);
    this.memory.open(this.process, this.readings);
  }

  get process(): ProcessReading {
    return { ...this.#process, faults: this.#hasFaults ? this.#process.faults : null };
  }

  get readings(): Map<string, ThreadReading> {
    return new Map(
      Array.from(this.#threads, ([name, reading]) => [
        name,
        { ...reading, faults: this.#hasFaults ? reading.faults : null },
      ]),
    );
  }

  get charges(): Record<string, number> {
    const charges = this.memory.charges(this.process, this.readings);
    return Object.fromEntries(Array.from(charges, ([name, bytes]) => [name, Math.round(bytes / MB)]));
  }

  advance(): void {
    this.memory.advance(this.process, this.readings);
  }

  /** A thread begins, and is one that could have done it from the first moment. */
  starts(name: string): void {
    this.#add(name, true);
  }

  /** Memory that no statistic of a thread shows. */
  hoards(name: string, mb: number): void {
    this.#touches(name, mb);
    this.#process.rssBytes += mb * MB;
  }

  /** Memory that shows in its statistics. */
  grows(name: string, mb: number, isSampled = true): void {
    this.hoards(name, mb);
    if (isSampled) this.#of(name).committedBytes += mb * MB;
  }

  /** Takes memory and gives it back, again and again. */
  churns(name: string, mb: number): void {
    this.#touches(name, mb);
  }

  /** The same, beside its heap. */
  buffers(name: string, mb: number): void {
    this.grows(name, mb);
    this.#of(name).offHeapBytes += mb * MB;
  }

  /** Buffers that it does not touch. */
  claims(name: string, mb: number): void {
    this.explains(name, mb);
    this.#of(name).offHeapBytes += mb * MB;
  }

  /** V8 counts so much less of what it has beside its heap. */
  uncounts(name: string, mb: number): void {
    this.collects(name, mb);
    this.#of(name).offHeapBytes -= mb * MB;
  }

  /** It says of memory that was there before that it is in its heap. */
  explains(name: string, mb: number): void {
    this.#of(name).committedBytes += mb * MB;
  }

  /** So much of its heap has nothing in it, and is in its statistics still. */
  frees(name: string, mb: number): void {
    this.#of(name).freeHeapBytes += mb * MB;
  }

  /** Its garbage is collected; the process keeps the pages. */
  collects(name: string, mb: number): void {
    this.#of(name).committedBytes -= mb * MB;
  }

  /** Node's own threads do something for one of the others. */
  nodeTakes(mb: number): void {
    this.#process.faults += mb * PAGES_PER_MB;
    this.#process.rssBytes += mb * MB;
  }

  /** The supervisor itself has touched so much, as far as that is known. */
  ownFaults(mb: number): void {
    this.#process.faults -= mb * PAGES_PER_MB;
  }

  /** So much is there that ended threads had. */
  leaves(mb: number): void {
    this.#process.leftBytes = mb * MB;
  }

  /** A request of it begins. */
  works(name: string): void {
    this.#of(name).isSuspect = true;
  }

  /** It has none any more. */
  rests(name: string): void {
    this.#of(name).isSuspect = false;
  }

  /** Somebody's memory goes back to the system. */
  givesBack(mb: number): void {
    this.#process.rssBytes -= mb * MB;
  }

  /** It is told to end, and has not ended. */
  isEnded(name: string): void {
    Object.assign(this.#of(name), { isSuspect: false, isEnding: true });
  }

  ends(name: string): void {
    this.#threads.delete(name);
    this.memory.forget(name);
  }

  #add(name: string, isSuspect: boolean): void {
    this.#threads.set(name, { ...NEWBORN, isSuspect });
  }

  #of(name: string): ThreadReading {
    const reading = this.#threads.get(name);
    if (reading === undefined) throw new Error(`there is no thread ${name}`);
    return reading;
  }

  #touches(name: string, mb: number): void {
    const reading = this.#of(name);
    reading.faults = (reading.faults ?? 0) + mb * PAGES_PER_MB;
    reading.cpuMs += mb;
    this.#process.faults += mb * PAGES_PER_MB;
  }
}

const TWO = { a: { isSuspect: true }, b: { isSuspect: true } };

describe('UnexplainedMemory', () => {
  it('UnexplainedMemory charges who hoards, and not who works beside it', () => {
    const scene = new Scene(TWO);
    scene.hoards('a', 60);
    scene.grows('b', 40);
    expect(scene.charges).toEqual({ a: 60, b: 0 });
  });

  it('UnexplainedMemory charges two that hoard at the same time with what each of them took', () => {
    const scene = new Scene(TWO);
    scene.hoards('a', 60);
    scene.hoards('b', 30);
    expect(scene.charges).toEqual({ a: 60, b: 30 });
  });

  it('UnexplainedMemory charges nobody with the start of thirty other threads', () => {
    const scene = new Scene({ a: { isSuspect: true } });
    for (let i = 0; i < 30; i++) {
      scene.starts(`new ${i}`);
      scene.hoards(`new ${i}`, 6);
      // Of a thread that starts no sample may have come yet.
      scene.grows(`new ${i}`, 6, false);
    }
    expect(scene.charges['a']).toBe(0);
  });

  it('UnexplainedMemory charges a thread that starts with its own memory only', () => {
    const scene = new Scene({ a: { isSuspect: true } });
    scene.starts('new');
    scene.hoards('new', 20);
    scene.hoards('a', 70);
    expect(scene.charges).toEqual({ a: 70, new: 20 });
    scene.advance();
    scene.memory.forgive('new');
    expect(scene.charges).toEqual({ a: 70, new: 0 });
  });

  it('UnexplainedMemory charges nobody with what a thread leaves that has ended', () => {
    const scene = new Scene({ a: { isSuspect: true }, b: {} });
    scene.grows('b', 80);
    scene.ends('b');
    expect(scene.charges).toEqual({ a: 0 });
  });

  it('UnexplainedMemory charges nobody with heaps that shrink while the process keeps their pages', () => {
    const scene = new Scene({ a: { isSuspect: true }, b: {}, c: {} });
    scene.grows('b', 40);
    scene.grows('c', 40);
    scene.advance();
    scene.collects('b', 40);
    scene.collects('c', 40);
    expect(scene.charges).toEqual({ a: 0 });
  });

  it('UnexplainedMemory charges a thread with no more than is there, however often it takes and gives back', () => {
    const scene = new Scene(TWO);
    scene.churns('a', 1000);
    scene.nodeTakes(10);
    expect(scene.charges['a']).toBeLessThanOrEqual(10);
  });

  it('UnexplainedMemory charges what Node’s own threads take to the one that works alone, and to nobody if two do', () => {
    const alone = new Scene({ a: { isSuspect: true }, b: {} });
    alone.nodeTakes(60);
    expect(alone.charges).toEqual({ a: 60 });
    const beside = new Scene(TWO);
    beside.nodeTakes(60);
    expect(beside.charges).toEqual({ a: 0, b: 0 });
  });

  it('UnexplainedMemory charges nobody with what Node’s own threads go on to take for a thread that does not end', () => {
    const scene = new Scene({ a: { isSuspect: true }, b: { isSuspect: true } });
    scene.isEnded('a');
    scene.advance();
    scene.nodeTakes(60);
    scene.hoards('b', 10);
    expect(scene.charges).toEqual({ b: 10 });
  });

  it('UnexplainedMemory adds up what is taken slowly, stretch by stretch', () => {
    const scene = new Scene(TWO);
    for (let i = 0; i < 60; i++) {
      scene.hoards('a', 1);
      scene.grows('b', 1);
      scene.advance();
    }
    expect(scene.charges).toEqual({ a: 60, b: 0 });
  });

  it('UnexplainedMemory charges nobody with buffers in the place of others that V8 counts until it collects again', () => {
    const scene = new Scene({ a: { isSuspect: true } });
    scene.hoards('a', 5);
    scene.advance();
    scene.buffers('a', 40);
    scene.advance();
    scene.givesBack(40);
    scene.advance();
    scene.uncounts('a', 40);
    scene.buffers('a', 30);
    expect(scene.charges).toEqual({ a: 5 });
    scene.hoards('a', 20);
    expect(scene.charges).toEqual({ a: 25 });
  });

  it('UnexplainedMemory charges nobody with buffers that come while the pages of a heap’s garbage are kept', () => {
    const scene = new Scene({ a: { isSuspect: true }, b: {} });
    scene.grows('a', 40);
    scene.advance();
    scene.collects('a', 40);
    scene.buffers('a', 30);
    expect(scene.charges).toEqual({ a: 0 });
    scene.advance();
    scene.hoards('a', 20);
    expect(scene.charges).toEqual({ a: 20 });
  });

  it('UnexplainedMemory charges who hoards, however much others gave back before, but for as much as is counted of its buffers', () => {
    const scene = new Scene(TWO);
    scene.buffers('a', 10);
    scene.advance();
    for (let count = 0; count < 20; count++) {
      scene.grows('b', 40);
      scene.advance();
      scene.collects('b', 40);
      scene.givesBack(40);
      scene.advance();
    }
    scene.hoards('a', 60);
    expect(scene.charges).toEqual({ a: 50, b: 0 });
  });

  it('UnexplainedMemory charges all that comes after the first look, whatever threads had been sampled with before it', () => {
    const scene = new Scene({ a: { isSuspect: true } });
    // Was there when the request began, and was in no sample.
    scene.explains('a', 30);
    scene.hoards('a', 10);
    scene.advance();
    scene.hoards('a', 40);
    expect(scene.charges).toEqual({ a: 40 });
  });

  it('UnexplainedMemory blames nobody of several where the system says nothing of faults', () => {
    const several = new Scene(TWO, false);
    several.hoards('a', 100);
    expect(several.charges).toEqual({ a: 0, b: 0 });
    const one = new Scene({ a: { isSuspect: true }, b: {} }, false);
    one.hoards('a', 100);
    expect(one.charges).toEqual({ a: 100 });
  });

  it('UnexplainedMemory charges a thread with what it took before anybody knew that it worked', () => {
    const scene = new Scene({ a: {}, b: {} });
    scene.memory.rest(scene.process, scene.readings, true);
    scene.hoards('a', 30);
    scene.works('a');
    expect(scene.memory.resume()).toBe(true);
    scene.hoards('a', 10);
    expect(scene.charges).toEqual({ a: 40 });
  });

  it('UnexplainedMemory charges the next request with what came after the last look at the one before it, and with no more', () => {
    for (const others of [{}, { b: {} }]) {
      const scene = new Scene({ a: { isSuspect: true }, ...others });
      scene.hoards('a', 30);
      scene.advance();
      scene.hoards('a', 5);
      scene.grows('a', 20);
      const seenBytes = scene.process.rssBytes;
      scene.rests('a');
      scene.hoards('a', 8);
      scene.memory.restAsSeen(seenBytes, scene.readings);
      expect(scene.charges).toEqual({});
      scene.works('a');
      expect(scene.memory.resume()).toBe(true);
      scene.hoards('a', 10);
      expect(scene.charges).toEqual({ a: 18 });
    }
  });

  it('UnexplainedMemory takes off what a thread gave back between two requests', () => {
    const scene = new Scene(TWO);
    scene.hoards('a', 30);
    scene.advance();
    scene.rests('a');
    scene.givesBack(30);
    scene.advance();
    scene.works('a');
    scene.hoards('a', 30);
    expect(scene.charges).toEqual({ a: 30, b: 0 });
  });

  it('UnexplainedMemory charges a thread with nothing between two requests', () => {
    const scene = new Scene(TWO);
    scene.hoards('a', 30);
    scene.advance();
    scene.rests('a');
    scene.hoards('a', 20);
    expect(scene.charges['a']).toBe(30);
  });

  it('UnexplainedMemory charges a request with nothing that its heap had given back while nobody worked, and takes no more than its part off what comes', () => {
    const scene = new Scene({ a: {}, b: {} });
    for (const name of ['a', 'b']) {
      scene.explains(name, 10);
      scene.frees(name, 10);
    }
    scene.memory.rest(scene.process, scene.readings, true);
    scene.givesBack(8);
    scene.memory.rest(scene.process, scene.readings, true);
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 4);
    expect(scene.charges).toEqual({ a: 0 });
    scene.hoards('a', 20);
    expect(scene.charges).toEqual({ a: 20 });
  });

  it('UnexplainedMemory lays to each what may have gone while nobody worked by what it has free, and no more than that, however often something comes and goes', () => {
    const scene = new Scene({ a: {}, b: {} });
    scene.explains('a', 8);
    scene.frees('a', 8);
    for (let count = 0; count < 5; count++) {
      scene.memory.rest(scene.process, scene.readings, true);
      scene.nodeTakes(20);
      scene.memory.rest(scene.process, scene.readings, true);
      scene.givesBack(count === 0 ? 28 : 20);
      scene.memory.rest(scene.process, scene.readings, true);
    }
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 8);
    expect(scene.charges).toEqual({ a: 0 });
    scene.hoards('a', 20);
    expect(scene.charges).toEqual({ a: 20 });
  });

  it('UnexplainedMemory takes nothing off what comes for readings that are not of one moment', () => {
    const scene = new Scene({ a: {} });
    scene.explains('a', 8);
    scene.frees('a', 8);
    scene.memory.rest(scene.process, scene.readings, true);
    for (const isExact of [false, true]) {
      scene.givesBack(8);
      scene.memory.rest(scene.process, scene.readings, isExact);
    }
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 8);
    expect(scene.charges).toEqual({ a: 8 });
  });

  it('UnexplainedMemory takes nothing off what comes for a peak of the request before, though there are buffers still', () => {
    const scene = new Scene({ a: { isSuspect: true } });
    scene.advance();
    scene.buffers('a', 100);
    scene.grows('a', 100);
    scene.advance();
    scene.collects('a', 100);
    scene.givesBack(100);
    scene.advance();
    scene.rests('a');
    scene.memory.rest(scene.process, scene.readings, true);
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 100);
    expect(scene.charges).toEqual({ a: 100 });
  });

  it('UnexplainedMemory takes buffers off what comes that were never touched, until they are counted no more', () => {
    for (const isSaid of [false, true]) {
      const scene = new Scene({ a: { isSuspect: true } });
      scene.advance();
      scene.buffers('a', 100);
      scene.advance();
      scene.claims('a', 50);
      scene.advance();
      scene.rests('a');
      scene.memory.rest(scene.process, scene.readings, true);
      if (isSaid) scene.uncounts('a', 50);
      scene.memory.rest(scene.process, scene.readings, true);
      scene.works('a');
      scene.memory.resume();
      scene.hoards('a', 50);
      expect(scene.charges).toEqual({ a: isSaid ? 50 : 0 });
    }
  });

  it('UnexplainedMemory charges nobody with what its heap gave back while it worked alone, whatever it keeps of it, into its next request', () => {
    for (const isNextRunning of [false, true]) {
      const scene = new Scene({ a: { isSuspect: true } });
      scene.advance();
      scene.grows('a', 40);
      scene.advance();
      scene.frees('a', 8);
      scene.givesBack(8);
      scene.collects('a', 20);
      scene.advance();
      scene.rests('a');
      if (isNextRunning) scene.memory.restAsSeen(scene.process.rssBytes, scene.readings);
      else scene.memory.rest(scene.process, scene.readings, true);
      scene.works('a');
      scene.memory.resume();
      scene.frees('a', -8);
      scene.hoards('a', 8);
      expect(scene.charges).toEqual({ a: 0 });
      scene.advance();
      scene.hoards('a', 20);
      expect(scene.charges).toEqual({ a: 20 });
    }
  });

  it('UnexplainedMemory charges nobody with what its heap had given back before another worked alone', () => {
    const scene = new Scene({ a: {}, b: {} });
    scene.explains('a', 8);
    scene.frees('a', 8);
    scene.memory.rest(scene.process, scene.readings, true);
    scene.givesBack(8);
    scene.memory.rest(scene.process, scene.readings, true);
    scene.works('b');
    scene.memory.resume();
    scene.grows('b', 20);
    scene.advance();
    scene.rests('b');
    scene.memory.rest(scene.process, scene.readings, true);
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 8);
    expect(scene.charges).toEqual({ a: 0 });
  });

  it('UnexplainedMemory takes nothing off what comes for what two may have given back while both worked', () => {
    const scene = new Scene(TWO);
    scene.advance();
    scene.grows('b', 1);
    scene.explains('a', 10);
    scene.frees('a', 10);
    scene.advance();
    scene.rests('a');
    scene.rests('b');
    scene.memory.rest(scene.process, scene.readings, true);
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 20);
    expect(scene.charges).toEqual({ a: 20 });
  });

  it('UnexplainedMemory charges nobody with buffers or a heap that come again after they went while nobody worked, whatever else the process took then', () => {
    for (const others of [{}, { b: {} }]) {
      const scene = new Scene({ a: {}, ...others });
      scene.buffers('a', 30);
      scene.grows('a', 20);
      scene.memory.rest(scene.process, scene.readings, true);
      scene.uncounts('a', 30);
      scene.collects('a', 20);
      scene.givesBack(50);
      scene.nodeTakes(64);
      scene.memory.rest(scene.process, scene.readings, true);
      scene.works('a');
      scene.memory.resume();
      scene.buffers('a', 30);
      scene.grows('a', 20);
      expect(scene.charges).toEqual({ a: 0 });
      scene.advance();
      scene.hoards('a', 10);
      expect(scene.charges).toEqual({ a: 10 });
    }
  });

  it('UnexplainedMemory takes nothing off what comes for what threads that have ended gave back, then or later', () => {
    const scene = new Scene({ a: {}, b: {} });
    scene.explains('a', 12);
    scene.frees('a', 12);
    scene.grows('b', 60);
    scene.memory.rest(scene.process, scene.readings, true);
    scene.ends('b');
    scene.leaves(30);
    scene.givesBack(30);
    scene.memory.rest(scene.process, scene.readings, true);
    scene.leaves(0);
    scene.givesBack(30);
    scene.memory.rest(scene.process, scene.readings, true);
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 12);
    expect(scene.charges).toEqual({ a: 12 });
  });

  it('UnexplainedMemory takes the free pages of a heap off what comes once, whatever kinds of memory have come and gone before', () => {
    const scene = new Scene({ a: { isSuspect: true } });
    scene.explains('a', 10);
    scene.frees('a', 10);
    scene.advance();
    for (const take of ['buffers', 'grows'] as const) {
      scene[take]('a', 10);
      scene.advance();
      scene[take === 'buffers' ? 'uncounts' : 'collects']('a', 10);
      scene.givesBack(10);
      scene.advance();
    }
    scene.hoards('a', 20);
    expect(scene.charges).toEqual({ a: 10 });
  });

  it('UnexplainedMemory charges nobody with more pages than it touched, where fewer are known of all', () => {
    const scene = new Scene(TWO);
    scene.hoards('a', 6);
    scene.ownFaults(5.9);
    expect(scene.charges['a']).toBeLessThanOrEqual(6);
  });

  it('UnexplainedMemory takes nothing off what comes for what went while the next request ran already', () => {
    const scene = new Scene({ a: { isSuspect: true }, b: {} });
    scene.explains('a', 12);
    scene.frees('a', 12);
    scene.advance();
    scene.rests('a');
    scene.givesBack(12);
    scene.memory.restAsSeen(scene.process.rssBytes, scene.readings);
    scene.works('a');
    scene.memory.resume();
    scene.hoards('a', 12);
    expect(scene.charges).toEqual({ a: 12 });
  });

  it('UnexplainedMemory forgets all charges when nobody works any more', () => {
    const scene = new Scene({ a: { isSuspect: true } });
    scene.hoards('a', 60);
    scene.advance();
    scene.memory.rest(scene.process, scene.readings, true);
    expect(scene.charges).toEqual({});
    scene.memory.open(scene.process, scene.readings);
    expect(scene.charges).toEqual({ a: 0 });
  });
});
