import { OneShotError } from './errors.ts';
import {
  callMethod,
  type IteratorRecord,
  isPlainArray,
  iteratorMethod,
  requireObjectResult,
  start,
  step,
} from './iterator.ts';

/** Array destructuring, element by element: each step says which element it wants, counted from 0. */
export interface Elements {
  next(index: number): unknown;
  rest(index: number): unknown[];
  close(): void;
  fail(): void;
}

/** An array itself: resumptions have nothing to share. */
export class ArrayElements implements Elements {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
  next(index: number): unknown {
    return this.items[index];
  }
  rest(index: number): unknown[] {
    const out: unknown[] = [];
    for (let i = index; i < this.items.length; i++) out.push(this.items[i]);
    return out;
  }
  close(): void {}
  fail(): void {}
}

class IteratorElements implements Elements {
  readonly #record: IteratorRecord;
  #taken = 0;
  #isDone = false;
  #isRefusing = false;
  constructor(record: IteratorRecord) {
    this.#record = record;
  }
  next(index: number): unknown {
    this.#check(index);
    this.#taken++;
    if (this.#isDone) return undefined;
    this.#isDone = true;
    const result = step(this.#record);
    if (result.done) return undefined;
    const value = result.value;
    this.#isDone = false;
    return value;
  }
  rest(index: number): unknown[] {
    this.#check(index);
    const out: unknown[] = [];
    while (!this.#isDone) {
      const value = this.next(this.#taken);
      if (!this.#isDone) out.push(value);
    }
    return out;
  }
  /** An iterator gives each of its elements once. */
  #check(index: number): void {
    if (index === this.#taken) return;
    this.#isRefusing = true;
    throw new OneShotError(
      `Cannot resume inside a destructuring at element ${index}: another resumption has used the iterator since (destructure an array instead)`,
    );
  }
  close(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const close = (this.#record.iterator as { return?: unknown }).return;
    if (close !== undefined && close !== null) requireObjectResult(callMethod(close, this.#record.iterator));
  }
  fail(): void {
    if (this.#isRefusing) {
      this.#isRefusing = false;
      return;
    }
    if (this.#isDone) return;
    this.#isDone = true;
    try {
      const close = (this.#record.iterator as { return?: unknown }).return;
      if (close !== undefined && close !== null) callMethod(close, this.#record.iterator);
    } catch {
      /* the error on its way wins */
    }
  }
}

export function elements(value: unknown): Elements {
  const method = iteratorMethod(value);
  return isPlainArray(value, method) ? new ArrayElements(value) : new IteratorElements(start(value, method));
}
