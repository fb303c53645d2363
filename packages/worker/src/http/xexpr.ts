import { attributeMarkup, NAME } from '../html/attributes.ts';
import { DROPS_LINE_FEED, lineFeedLength } from '../html/escape.ts';
import { Html, isHtml, isPending, isRaw } from '../html/fragment.ts';

/**
 * An X-expression: markup as data, for example `['p', { class: 'big' }, 'Hello']`. Text is escaped, a number is the
 * character of that code, and an {@link Html} fragment goes in as it is.
 * @see Racket `xexpr?`
 */
export type Xexpr = string | number | Html | XexprElement;

/** A tag's name, perhaps its attributes, then what is in it. */
export type XexprElement = readonly (Xexpr | XexprAttributes)[];

/** A fragment made by `raw` goes in as it is, its quotes escaped. */
export type XexprAttributes = Readonly<Record<string, string | Html>>;

/** A value is not an X-expression. */
export class XexprError extends TypeError {
  override readonly name = 'XexprError';
  readonly code = 'SERVLET_XEXPR';
}

/** Tags that HTML never closes: the standard's void elements, and the older ones that Racket knows. */
export const VOID_TAGS: ReadonlySet<string> = new Set(
  'area base basefont br col embed frame hr img input isindex link meta param source track wbr'.split(' '),
);

const TAG = /^[a-z_][^\s"'<>/=&]*$/i;
/** Their text knows no references: a program can't be escaped. */
const PROGRAMS: ReadonlySet<string> = new Set(['script', 'style']);

/**
 * An X-expression as a fragment, for a place in a `html` template.
 * @throws XexprError when it is none
 * @see Racket `include-template/xml`, `cdata`
 *
 * @example
 * ```ts
 * html`<main>${toHtml(['p', { class: 'big' }, 'Tea & bread'])}</main>`.text;
 * // '<main><p class="big">Tea &amp; bread</p></main>'
 * ```
 */
export function toHtml(xexpr: Xexpr): Html {
  return new Html(xexprToHtml(xexpr));
}

/** The markup of an X-expression. @throws XexprError when it is none. @see Racket `xexpr->string` */
export function xexprToHtml(value: unknown): string {
  if (typeof value === 'string') return escapeText(value);
  if (typeof value === 'number') return characterReference(value);
  if (Array.isArray(value)) return element(value);
  if (typeof value === 'object' && value !== null && isHtml(value)) return textOf(value);
  throw new XexprError(
    `Cannot write an X-expression: ${describe(value)} stands where a string, a number or an array must`,
  );
}

function element(parts: readonly unknown[]): string {
  const tag = parts[0];
  if (typeof tag !== 'string' || !TAG.test(tag)) {
    throw new XexprError(`Cannot write an X-expression: ${describe(tag)} stands where a tag's name must`);
  }
  let text = `<${tag}`;
  let at = 1;
  if (isAttributes(parts[1])) {
    text += attributes(tag, parts[1]);
    at = 2;
  }
  if (at === parts.length && VOID_TAGS.has(tag.toLowerCase())) return `${text}/>`;
  const isProgram = PROGRAMS.has(tag.toLowerCase());
  let within = '';
  for (; at < parts.length; at += 1) within += isProgram ? programText(tag, parts[at]) : xexprToHtml(parts[at]);
  const isDropped = DROPS_LINE_FEED.has(tag.toLowerCase()) && lineFeedLength(within) > 0;
  return `${text}>${isDropped ? '\n' : ''}${within}</${tag}>`;
}

/** Escaped, it would be another program; as it is, it could end its element. */
function programText(tag: string, value: unknown): string {
  if (typeof value === 'string' && !SPECIAL.test(value)) return value;
  if (typeof value === 'object' && value !== null && isHtml(value) && isRaw(value)) return value.text;
  throw new XexprError(
    `Cannot write an X-expression: in <${tag}>, ${describe(value)} can't be escaped (raw(text) vouches for a program)`,
  );
}

function textOf(fragment: Html): string {
  if (!isPending(fragment)) return fragment.text;
  throw new XexprError('Cannot write an X-expression: a fragment in it waits for something (await its whole())');
}

function isAttributes(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isHtml(value);
}

function attributes(tag: string, values: Record<string, unknown>): string {
  let text = '';
  for (const [name, value] of Object.entries(values)) {
    const isFragment = typeof value === 'object' && value !== null && isHtml(value);
    if (!NAME.test(name) || name.includes('&') || !(typeof value === 'string' || isFragment)) {
      throw new XexprError(`Cannot write an X-expression: attribute "${name}" is ${describe(value)}`);
    }
    // Between double quotes an apostrophe stays, as in Racket.
    text += ` ${name}="${attributeMarkup(tag, name, value as string | Html).replaceAll('&#39;', "'")}"`;
  }
  return text;
}

/** A code of a character that XML allows (XML 1.0 §2.2). */
function characterReference(code: number): string {
  const isCharacter =
    Number.isInteger(code) &&
    (code === 0x9 ||
      code === 0xa ||
      code === 0xd ||
      (code >= 0x20 && code <= 0xd7ff) ||
      (code >= 0xe000 && code <= 0xfffd) ||
      (code >= 0x10000 && code <= 0x10ffff));
  if (!isCharacter) throw new XexprError(`Cannot write an X-expression: ${code} is no character's code`);
  return `&#${code};`;
}

const SPECIAL = /[&<>\r]/;

/** Quotes stay, as in Racket. */
function escapeText(text: string): string {
  if (!SPECIAL.test(text)) return text;
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;');
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
