// Told by its mark, not its class: two copies of the library may be loaded.
const MARK: symbol = Symbol.for('custodian.html');
const RAW = 'raw';
const PENDING = 'pending';

/** A piece of HTML in which everything is escaped that must be. Made by `html`, `raw`, `scriptValue` and `toHtml` only. */
export class Html {
  /** The markup. @throws HtmlPendingError while a promise or a stream in it is still to come. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The same fragment with all that it waits for in it. */
  async whole(): Promise<Html> {
    return this;
  }

  toString(): string {
    return this.text;
  }
}

/** Markup that its author vouches for. */
export class RawHtml extends Html {}

Object.defineProperty(Html.prototype, MARK, { value: true });
Object.defineProperty(RawHtml.prototype, MARK, { value: RAW });

export function isHtml(value: object): value is Html {
  return MARK in value;
}

/** A promise or a stream in it is still to come. */
export function isPending(value: Html): value is Html & AsyncIterable<string> {
  return markOf(value) === PENDING;
}

/** Marks the fragments of a class as such that are still to come. */
export function markPending(prototype: object): void {
  Object.defineProperty(prototype, MARK, { value: PENDING });
}

/** Made by `raw`: it may stand where a template takes no other value. */
export function isRaw(value: Html): boolean {
  return markOf(value) === RAW;
}

function markOf(value: Html): unknown {
  return (value as unknown as Record<symbol, unknown>)[MARK];
}

/** What can't be shown stands in a template: an object without a text of its own, a function, a symbol. */
export class HtmlValueError extends TypeError {
  override readonly name = 'HtmlValueError';
  readonly code = 'SERVLET_HTML_VALUE';
}

/** A value stands where none can be made safe, or a template ends in the middle of a tag. */
export class HtmlContextError extends TypeError {
  override readonly name = 'HtmlContextError';
  readonly code = 'SERVLET_HTML_CONTEXT';
  /** Which of the template's values; its number is that of the template's last text if none is to blame. */
  readonly hole: number;

  constructor(message: string, hole: number) {
    super(message);
    this.hole = hole;
  }
}

/** An address would run as a program when it is followed. */
export class HtmlUrlError extends TypeError {
  override readonly name = 'HtmlUrlError';
  readonly code = 'SERVLET_HTML_URL';
}

/** The text of a fragment was asked for before all of it was there. */
export class HtmlPendingError extends TypeError {
  override readonly name = 'HtmlPendingError';
  readonly code = 'SERVLET_HTML_PENDING';
}
