import { checkUrl, isAttributes } from './attributes.ts';
import { decodeAddress, escapeHtml, escapeQuotes, lineFeedLength } from './escape.ts';
import { type Html, HtmlContextError, HtmlValueError, isHtml, isPending, isRaw } from './fragment.ts';
import type { Hole, Plan } from './plan.ts';

/** A value, or something in it, has to be waited for. */
export const NOT_YET = null;
type Shown = string | typeof NOT_YET;

/** The markup that shows the value of a hole. @throws HtmlValueError, HtmlContextError, HtmlUrlError */
export function show(plan: Plan, values: readonly unknown[], index: number): Shown {
  const hole = plan.holes[index] as Hole;
  const shown = hole.kind === 'url' ? asUrl(plan, values, index) : showAs(hole, values[index], index);
  return shown === NOT_YET || hole.isSimple ? shown : adjusted(shown, hole);
}

function showAs(hole: Hole, value: unknown, index: number): Shown {
  switch (hole.kind) {
    case 'text':
    case 'rcdata':
    case 'attribute':
    case 'url':
      return asText(value, hole);
    case 'markup': {
      const markup = joined(value, (item) => (isFragment(item) ? item.text : escapeHtml(plainText(item))));
      return markup === NOT_YET ? NOT_YET : escapeHtml(markup);
    }
    case 'script':
    case 'style':
      return joined(value, (item) => asProgram(item, hole, index));
    case 'script-attribute':
    case 'style-attribute':
      return joined(value, (item) => asProgramAttribute(item, hole, index));
    case 'attributes':
      return joined(value, (item) => asAttributes(item, hole, index));
  }
}

/** What the place asks for besides escaping. `markup` is the first that is shown there. */
export function adjusted(markup: string, hole: Hole): string {
  if (hole.isAfterReference && /^[#;=0-9a-z]/i.test(markup)) return `&#${markup.charCodeAt(0)};${markup.slice(1)}`;
  const isDropped = hole.dropsLineFeed && (markup === '' ? hole.isBeforeLineFeed : lineFeedLength(markup) > 0);
  return isDropped ? `\n${markup}` : markup;
}

/** The markup of a value between tags, in `textarea` and `title`, or in a quoted attribute. */
export function asText(value: unknown, hole: Hole): Shown {
  if (typeof value === 'string') return escapeHtml(value);
  if (value === null || value === undefined || value === false) return '';
  if (typeof value !== 'object') return plainText(value);
  if (isHtml(value)) return isPending(value) ? NOT_YET : fragmentIn(value, hole);
  if (isToCome(value)) return NOT_YET;
  const list = listOf(value);
  if (list === null) return escapeHtml(plainText(value));
  let text = '';
  for (const item of list) {
    const shown = asText(item, hole);
    if (shown === NOT_YET) return NOT_YET;
    text += shown;
  }
  return text;
}

function fragmentIn(fragment: Html, hole: Hole): string {
  const { text } = fragment;
  if (hole.kind === 'text') return text;
  const hasTags = isRaw(fragment)
    ? hole.kind === 'rcdata' && text.toLowerCase().includes(`</${hole.element}`)
    : text.includes('<');
  if (hasTags) {
    const where = hole.kind === 'rcdata' ? `<${hole.element}>` : `the attribute "${hole.attribute}"`;
    throw new HtmlValueError(`Cannot show a value in html: it is a fragment with tags, and ${where} has none`);
  }
  return hole.kind === 'rcdata' ? text : escapeQuotes(text);
}

/** All values of one address are looked at together: each of them may be harmless. */
function asUrl({ holes, texts }: Plan, values: readonly unknown[], index: number): Shown {
  const hole = holes[index] as Hole;
  const { attribute, address } = hole;
  const value = values[index];
  if (typeof value === 'string' && hole.span === 1 && hole.prefix === '' && texts[index + 1]?.startsWith(hole.quote)) {
    checkUrl(value, attribute, address);
    return escapeHtml(value);
  }
  const first = asText(value, hole);
  let markup = hole.prefix;
  let isVouchedFor = false;
  for (let at = index; at < index + hole.span; at += 1) {
    const shown = at === index ? first : asText(values[at], hole);
    if (shown === NOT_YET) return NOT_YET;
    isVouchedFor ||= isFragment(values[at]) && isRaw(values[at] as Html);
    const text = texts[at + 1] as string;
    markup += shown + (at === index + hole.span - 1 ? text.slice(0, text.indexOf(hole.quote)) : text);
  }
  if (!isVouchedFor) checkUrl(decodeAddress(markup), attribute, address);
  return first;
}

function asProgram(value: unknown, { element }: Hole, index: number): string {
  if (!isFragment(value) || !isRaw(value)) throw unmarked(`<${element}>`, element === 'script', index);
  // Its text would end, or open a comment that hides its end.
  if (element === 'script' ? /<\/?script|<!--/i.test(value.text) : /<\/style/i.test(value.text))
    throw new HtmlContextError(`Cannot put a value into <${element}>: it holds a tag that would end it`, index);
  return value.text;
}

function asProgramAttribute(value: unknown, { kind, attribute }: Hole, index: number): string {
  if (kind === 'style-attribute' && typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (!isFragment(value) || !isRaw(value))
    throw unmarked(`the attribute "${attribute}"`, kind === 'script-attribute', index);
  return escapeQuotes(value.text);
}

function asAttributes(value: unknown, { element }: Hole, index: number): string {
  if (typeof value === 'object' && value !== null && isAttributes(value)) return value.in(element);
  throw new HtmlContextError(
    `Cannot put a value into the tag <${element}>: it is ${describe(value)}, not attributes({ … })`,
    index,
  );
}

function unmarked(where: string, isScript: boolean, index: number): HtmlContextError {
  const marks = isScript
    ? 'scriptValue(value) makes a literal of it, raw(text) vouches for it'
    : 'raw(text) vouches for it';
  return new HtmlContextError(`Cannot put a value into ${where}: it would be part of the program (${marks})`, index);
}

/** Shows a value that may be a list; null, undefined and false show nothing. */
function joined(value: unknown, showItem: (item: unknown) => string): Shown {
  if (value === null || value === undefined || value === false) return '';
  if (typeof value !== 'object') return showItem(value);
  if (isHtml(value)) return isPending(value) ? NOT_YET : showItem(value);
  if (isToCome(value)) return NOT_YET;
  const list = isAttributes(value) ? null : listOf(value);
  if (list === null) return showItem(value);
  let text = '';
  for (const item of list) {
    const shown = joined(item, showItem);
    if (shown === NOT_YET) return NOT_YET;
    text += shown;
  }
  return text;
}

/** A promise, a stream, or what else is iterated asynchronously. */
export function isToCome(value: object): boolean {
  return (
    typeof (value as { then?: unknown }).then === 'function' ||
    typeof (value as { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] === 'function'
  );
}

/** Lists that can be walked only once, and have been. */
const walked = new WeakMap<object, readonly unknown[]>();

/** What is in an array or another list; null: it is no list, or shows itself as a text. */
export function listOf(value: object): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  if (typeof (value as { [Symbol.iterator]?: unknown })[Symbol.iterator] !== 'function' || hasText(value)) return null;
  let list = walked.get(value);
  if (list === undefined) walked.set(value, (list = [...(value as Iterable<unknown>)]));
  return list;
}

function plainText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'function' || typeof value === 'symbol') throw cannotShow(value);
  if (typeof value === 'object' && value !== null && !hasText(value)) throw cannotShow(value);
  return String(value as number);
}

function hasText(value: object): boolean {
  const { toString } = value as { toString?: unknown };
  return typeof toString === 'function' && toString !== Object.prototype.toString;
}

function isFragment(value: unknown): value is Html {
  return typeof value === 'object' && value !== null && isHtml(value);
}

function cannotShow(value: unknown): HtmlValueError {
  return new HtmlValueError(`Cannot show a value in html: it is ${describe(value)}`);
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null)
    return isAttributes(value) ? 'attributes, which stand in a tag' : 'an object without a text of its own';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : `a ${typeof value}`;
}
