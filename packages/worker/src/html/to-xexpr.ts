import { VOID_TAGS, type Xexpr, type XexprElement, XexprError } from '../http/xexpr.ts';
import { DROPS_LINE_FEED, lineFeedLength } from './escape.ts';
import { type Html, RawHtml } from './fragment.ts';

/**
 * A fragment as X-expressions: a list, since a fragment may have several elements and texts side by side. Comments, a
 * doctype, and references that have no character of their own here (`&nbsp;`) stay fragments in it; every end tag must
 * be there, but for elements that have none.
 * @throws XexprError for markup that is not well nested
 * @see Racket `string->xexpr`
 *
 * @example
 * ```ts
 * toXexpr(html`<p class="big">Tea &amp; <b>bread</b><br></p>`);
 * // [['p', { class: 'big' }, 'Tea & ', ['b', 'bread'], ['br']]]
 * ```
 */
export function toXexpr(fragment: Html): Xexpr[] {
  return new Reader(fragment.text).forest();
}

interface Open {
  tag: string;
  attributes: Record<string, string | Html>;
  children: Xexpr[];
  /** In SVG or MathML, where a slash ends an element. */
  isForeign: boolean;
}

const START_TAG = /<([a-z][^\t\n\f\r />]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/iy;
const END_TAG = /<\/([a-z][^\t\n\f\r />]*)[^>]*>/iy;
const COMMENT = /<!---?>|<!--[^]*?--!?>|<!(?!--)[^>]*>|<\?[^>]*>/y;
const ATTRIBUTE =
  /([^\t\n\f\r />][^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >]+)))?/g;
const FOREIGN: ReadonlySet<string> = new Set(['math', 'svg']);
const PROGRAMS: ReadonlySet<string> = new Set(['script', 'style']);
const RCDATA: ReadonlySet<string> = new Set(['textarea', 'title']);

class Reader {
  readonly #text: string;
  #at = 0;
  readonly #open: Open[] = [{ tag: '', attributes: {}, children: [], isForeign: false }];

  constructor(text: string) {
    this.#text = text;
  }

  forest(): Xexpr[] {
    while (this.#at < this.#text.length) this.#next();
    const { tag, children } = this.#open.at(-1) as Open;
    if (tag !== '') throw this.#error(`<${tag}> is not closed`);
    return children;
  }

  #next(): void {
    if (this.#text[this.#at] === '<') {
      const comment = this.#match(COMMENT);
      if (comment !== null) return this.#add(new RawHtml(comment[0]));
      const end = this.#match(END_TAG);
      if (end !== null) return this.#close(end[1] as string);
      const start = this.#match(START_TAG);
      if (start !== null) return this.#start(start[1] as string, start[2] as string);
    }
    // A lone "<" is text.
    let end = this.#text.indexOf('<', this.#at + 1);
    if (end === -1) end = this.#text.length;
    this.#addText(this.#text.slice(this.#at, end));
    this.#at = end;
  }

  #start(tag: string, rest: string): void {
    const name = tag.toLowerCase();
    const isForeign = FOREIGN.has(name) || (this.#open.at(-1) as Open).isForeign;
    this.#open.push({ tag, attributes: attributesOf(rest), children: [], isForeign });
    if (DROPS_LINE_FEED.has(name)) this.#at += lineFeedLength(this.#text, this.#at);
    if (VOID_TAGS.has(name) || (isForeign && rest.endsWith('/'))) this.#close(tag);
    else if (!isForeign && (PROGRAMS.has(name) || RCDATA.has(name))) this.#elementText(tag, name);
  }

  /** The text of an element that holds no tags. */
  #elementText(tag: string, name: string): void {
    const end = new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, 'gi');
    end.lastIndex = this.#at;
    const match = end.exec(this.#text);
    if (match === null) throw this.#error(`<${tag}> is not closed`);
    const text = this.#text.slice(this.#at, match.index);
    if (RCDATA.has(name)) this.#addText(text);
    else if (text !== '') this.#add(/[&<>]/.test(text) ? new RawHtml(text) : text);
    this.#at = match.index;
  }

  #close(tag: string): void {
    const open = this.#open.at(-1) as Open;
    if (open.tag.toLowerCase() !== tag.toLowerCase() || this.#open.length === 1) {
      throw this.#error(open.tag === '' ? `</${tag}> closes nothing` : `</${tag}> does not close <${open.tag}>`);
    }
    this.#open.pop();
    const hasAttributes = Object.keys(open.attributes).length > 0;
    const element: XexprElement = [open.tag, ...(hasAttributes ? [open.attributes] : []), ...open.children];
    this.#add(element as unknown as Xexpr);
  }

  #addText(markup: string): void {
    for (const [index, part] of markup.split(REFERENCE).entries()) {
      if (part === '') continue;
      const text = decoded(part);
      if (text === null && !part.endsWith(';')) {
        // It has no end of its own: what follows must go on following as it does here.
        this.#add(new RawHtml(markup.split(REFERENCE).slice(index).join('')));
        return;
      }
      this.#add(text ?? new RawHtml(part));
    }
  }

  #add(child: Xexpr): void {
    const { children } = this.#open.at(-1) as Open;
    const last = children.at(-1);
    if (typeof child === 'string' && typeof last === 'string') children[children.length - 1] = last + child;
    else children.push(child);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #error(state: string): XexprError {
    const before = this.#text.slice(Math.max(0, this.#at - 40), this.#at);
    return new XexprError(`Cannot make X-expressions of a fragment: ${state}, at ${JSON.stringify(before)}`);
  }
}

function attributesOf(text: string): Record<string, string | Html> {
  const attributes: Record<string, string | Html> = {};
  for (const [, name, double, single, bare] of text.matchAll(ATTRIBUTE)) {
    const markup = double ?? single ?? bare ?? '';
    const parts = markup.split(REFERENCE).map(decoded);
    const value = parts.includes(null) ? new RawHtml(markup) : parts.join('');
    // Of two with one name, a browser takes the first.
    if (!Object.hasOwn(attributes, name as string))
      Object.defineProperty(attributes, name as string, { value, enumerable: true });
  }
  return attributes;
}

/** Splits markup into its references and what is between them. */
const REFERENCE = /(&(?:#x?[0-9a-f]+|[a-z][a-z0-9]*);?)/i;
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The text of a reference, or of a text without any; null: it is known by name only. */
function decoded(part: string): string | null {
  if (!REFERENCE.test(part)) return part;
  const [, number, name] = /^&(?:#(x?[0-9a-f]+)|(\w+));$/i.exec(part) ?? [];
  if (name !== undefined) return NAMED[name] ?? null;
  if (number === undefined) return null;
  const code = /^x/i.test(number) ? Number.parseInt(number.slice(1), 16) : Number(number);
  // Others are mended by the parser, each in its way.
  const isPlain =
    (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code <= 0xd7ff) || code === 13 || code === 10 || code === 9;
  return isPlain || (code >= 0xe000 && code <= 0x10ffff) ? String.fromCodePoint(code) : null;
}
