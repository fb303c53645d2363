import { identities } from '../continuation/identity.ts';
import { contextFor } from './context.ts';

/** A variable whose value belongs to the page. @see Racket `web-cell?` */
export interface WebCell<Value> {
  /** The value on this page: what was set last on the way to it, else the cell's default. */
  get(): Value;
  /** Sets the value for what follows from here; pages that were shown before keep theirs. */
  shadow(value: Value): void;
}

class PageCell<Value> implements WebCell<Value> {
  readonly #initial: Value;

  constructor(initial: Value) {
    this.#initial = initial;
    // A saved page names the module's constant.
    identities.add(this);
  }

  get(): Value {
    const { cells } = contextFor('read a web cell');
    return cells.has(this) ? (cells.get(this) as Value) : this.#initial;
  }

  shadow(value: Value): void {
    const context = contextFor('set a web cell');
    context.cells = new Map(context.cells).set(this, value);
  }
}

/**
 * Makes a web cell. What it holds is kept with a page when the page's suspension begins, and is there again whenever
 * the page is answered: Back goes back. Make it at the top level of a module, where every thread has it.
 * @see Racket `make-web-cell`
 *
 * @example
 * ```ts
 * const count = webCell(0);
 * async function start() {
 *   await sendSuspend((url) => html`<a href="${url}">Add one to ${count.get()}</a>`);
 *   count.shadow(count.get() + 1);
 *   return html`<p>${count.get()}, and no more after Back.</p>`;
 * }
 * ```
 */
export function webCell<Value>(initial: Value): WebCell<Value> {
  return new PageCell(initial);
}
