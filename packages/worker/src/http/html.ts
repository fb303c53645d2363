// Told by its mark, not its class: two copies of the library may be loaded.
const MARK: symbol = Symbol.for('custodian.html');

/** A piece of HTML in which everything is escaped that must be. Made by {@link html} and {@link raw} only. */
export class Html {
  /** The markup. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

Object.defineProperty(Html.prototype, MARK, { value: true });

export function isHtml(value: object): value is Html {
  return MARK in value;
}

/** What can't be shown stands in a template: an object without a text of its own, a function, a symbol, a promise. */
export class HtmlValueError extends TypeError {
  override readonly name = 'HtmlValueError';
  readonly code = 'SERVLET_HTML_VALUE';
}

/**
 * A template whose values are escaped: html`<p>${name}</p>`. Fragments nest as they are, arrays are joined, and null,
 * undefined and false print nothing. Quote attributes (`href="${url}"`): an unquoted one can't be made safe.
 * @throws HtmlValueError
 */
export function html(strings: TemplateStringsArray, ...values: unknown[]): Html {
  let text = strings[0] as string;
  for (let index = 0; index < values.length; index += 1) text += shown(values[index]) + (strings[index + 1] as string);
  return new Html(text);
}

/** Marks markup as trusted: it goes into a page as it is. Never for what a visitor sent. */
export function raw(markup: string): Html {
  return new Html(markup);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return escapeHtml(value);
  if (value === null || value === undefined || value === false) return '';
  if (typeof value !== 'object') {
    if (typeof value === 'function' || typeof value === 'symbol') throw cannotShow(`a ${typeof value}`);
    return String(value as number | bigint | boolean);
  }
  if (isHtml(value)) return value.text;
  if (Array.isArray(value)) {
    let text = '';
    for (const item of value) text += shown(item);
    return text;
  }
  if (typeof (value as { then?: unknown }).then === 'function')
    throw cannotShow('a promise, which must be awaited first');
  if (typeof value.toString !== 'function' || value.toString === Object.prototype.toString)
    throw cannotShow('an object without a text of its own');
  return escapeHtml((value as { toString(): string }).toString());
}

function cannotShow(what: string): HtmlValueError {
  return new HtmlValueError(`Cannot show a value in html: it is ${what}`);
}

const SPECIAL = /[&<>"']/;
const EACH_SPECIAL = /[&<>"']/g;
const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as markup that shows it, in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return SPECIAL.test(text) ? text.replace(EACH_SPECIAL, (character) => ENTITIES[character] as string) : text;
}
