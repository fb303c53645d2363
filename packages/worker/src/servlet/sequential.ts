import { Activation } from '../continuation/activation.ts';
import { Frame } from '../continuation/frame.ts';

type Each<Item, Result> = (item: Item, index: number) => Result | Promise<Result>;

/** The rest of a walk over a list: immutable, like every frame. */
export class SequentialFrame extends Frame {
  readonly items: readonly unknown[];
  readonly each: Each<unknown, unknown>;
  readonly results: readonly unknown[];
  constructor(items: readonly unknown[], each: Each<unknown, unknown>, results: readonly unknown[]) {
    super(null, 1, [], (again) => walk(again, { items, each, results: [...results], isResumed: true }));
    this.items = items;
    this.each = each;
    this.results = results;
  }
}

/**
 * What `f` makes of each item, one after another: `Promise.all(items.map(f))` for an `f` that suspends, which that can't.
 *
 * @example
 * ```ts
 * async function start() {
 *   const numbers = await sequential(['First', 'Second'], async (label) => {
 *     const answer = await sendSuspend((url) => html`<form action="${url}">${label} <input name="n"></form>`);
 *     return Number(answer.bindings.get('n'));
 *   });
 *   return html`<p>${numbers.join(' and ')}</p>`;
 * }
 * ```
 */
export function sequential<Item, Result>(items: Iterable<Item>, f: Each<Item, Result>): Promise<Result[]> {
  const activation = new Activation();
  const each = f as Each<unknown, unknown>;
  const walking = walk(activation, { items: Array.from(items), each, results: [], isResumed: false });
  return (activation.promise = walking) as Promise<Result[]>;
}

interface Walk {
  items: readonly unknown[];
  each: Each<unknown, unknown>;
  /** Of the items before the present one. */
  results: unknown[];
  /** The present one's result is what the continuation was resumed with. */
  isResumed: boolean;
}

async function walk(activation: Activation, { items, each, results, isResumed }: Walk): Promise<unknown[]> {
  let promise: Promise<unknown> | null = null;
  try {
    if (isResumed) results.push(activation.resumed());
    while (results.length < items.length) {
      const result = each(items[results.length], results.length);
      promise = result instanceof Promise ? result : null;
      results.push(await result);
    }
    return results;
  } catch (error) {
    throw activation.passed(error, promise, () => new SequentialFrame(items, each, results.slice()));
  }
}
