import { contextFor } from './context.ts';

/** A variable whose value belongs to the page. @see Racket `web-cell?` */
export interface WebCell<Value> {
  /** The value on this page: what was set last on the way to it, else the cell's default. */
  get(): Value;
  /** Sets the value for what follows from here; pages that were shown before keep theirs. */
  shadow(value: Value): void;
}

/**
 * Makes a web cell. What it holds is kept with a page when the page's suspension begins, and is there again whenever
 * the page is answered: Back goes back.
 * @see Racket `make-web-cell`
 */
export function webCell<Value>(initial: Value): WebCell<Value> {
  const cell: WebCell<Value> = {
    get: () => {
      const { cells } = contextFor('read a web cell');
      return cells.has(cell) ? (cells.get(cell) as Value) : initial;
    },
    shadow: (value) => {
      const context = contextFor('set a web cell');
      context.cells = new Map(context.cells).set(cell, value);
    },
  };
  return cell;
}
