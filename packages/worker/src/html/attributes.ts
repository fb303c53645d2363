import { type AddressContext, attributeContext, type AttributeContext, refusedScheme } from './attribute-context.ts';
import { decodeAddress, escapeHtml, escapeQuotes } from './escape.ts';
import { type Html, HtmlUrlError, HtmlValueError, isHtml, isRaw } from './fragment.ts';

/** What an attribute may be given: true stands alone, and false, null and undefined leave the attribute out. */
export type AttributeValue = string | number | bigint | boolean | URL | Html | null | undefined;

const MARK: symbol = Symbol.for('custodian.attributes');

/** Attributes for a place in a tag. Made by {@link attributes} only. */
export class Attributes {
  readonly values: Readonly<Record<string, AttributeValue>>;

  constructor(values: Readonly<Record<string, AttributeValue>>) {
    this.values = values;
  }

  /** The attributes as they stand in a tag of that element, a blank in front of each. */
  in(element: string): string {
    let text = '';
    for (const [name, value] of Object.entries(this.values)) {
      if (!NAME.test(name))
        throw new HtmlValueError(`Cannot write an attribute: ${JSON.stringify(name)} is no name of one`);
      if (value === undefined || value === null || value === false) continue;
      checkProgram(element, name, value);
      text += value === true ? ` ${name}` : ` ${name}="${attributeMarkup(element, name, value)}"`;
    }
    return text;
  }
}

Object.defineProperty(Attributes.prototype, MARK, { value: true });

export function isAttributes(value: object): value is Attributes {
  return MARK in value;
}

/**
 * Attributes whose names or presence are decided at run time, for a place in a tag of a `html` template. A value of
 * true stands for the bare attribute; false, null and undefined leave it out; others are escaped.
 *
 * @throws HtmlValueError, once it is shown, for a name that is none, and for what `html` does not take in an event's
 *   attribute or in `style`: there it must be marked by `raw`, or be a number of a `style`
 * @throws HtmlUrlError, once it is shown, for an address that would run as a program
 *
 * @example
 * ```ts
 * const isChosen = true;
 * html`<input type="checkbox" ${attributes({ name: 'tea', checked: isChosen, disabled: false })}>`.text;
 * // '<input type="checkbox" name="tea" checked>'
 * ```
 */
export function attributes(values: Readonly<Record<string, AttributeValue>>): Attributes {
  return new Attributes(values);
}

/** The rule of a template's own attributes: what a visitor has sent must not become part of a program. */
function checkProgram(element: string, name: string, value: AttributeValue): void {
  const context = attributeContext(element.toLowerCase(), name.toLowerCase());
  if ((context !== 'script' && context !== 'style') || value === true) return;
  if (context === 'style' && typeof value === 'number' && Number.isFinite(value)) return;
  if (typeof value === 'object' && value !== null && isHtml(value) && isRaw(value)) return;
  throw new HtmlValueError(
    `Cannot write the attribute "${name}": its value would be part of the program (raw(text) vouches for it)`,
  );
}

// What the standard's tokenizer takes for one name, less what it calls an error (§13.1.2.3).
export const NAME: RegExp = /^[^\s"'<>/=\p{Cc}]+$/u;

/** The value of an attribute as it stands between double quotes. @throws HtmlUrlError, HtmlValueError */
export function attributeMarkup(
  element: string,
  name: string,
  value: Exclude<AttributeValue, boolean | null | undefined>,
): string {
  const context = attributeContext(element.toLowerCase(), name.toLowerCase());
  if (typeof value === 'object' && isHtml(value)) {
    if (context === 'markup') return escapeHtml(value.text);
    if (!isRaw(value) && value.text.includes('<'))
      throw new HtmlValueError(`Cannot write the attribute "${name}": it is a fragment with tags`);
    if (!isRaw(value) && isAddress(context)) checkUrl(decodeAddress(value.text), name, context);
    return escapeQuotes(value.text);
  }
  const text = String(value);
  if (context === 'markup') return escapeHtml(escapeHtml(text));
  if (isAddress(context)) checkUrl(text, name, context);
  return escapeHtml(text);
}

function isAddress(context: AttributeContext): context is AddressContext {
  return context === 'url' || context === 'media-url' || context === 'url-list';
}

/** @throws HtmlUrlError for an address that would run as a program. */
export function checkUrl(url: string, attribute: string, context: AddressContext): void {
  const scheme = refusedScheme(url, context);
  if (scheme === null) return;
  throw new HtmlUrlError(
    `Cannot put the address ${JSON.stringify(url.slice(0, 40))} into the attribute "${attribute}": ${scheme}: would run as a program (isSafeUrl(url) tells; raw(url) vouches for it)`,
  );
}
