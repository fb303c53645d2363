import { type AddressContext, attributeContext, isBeforeScheme, refusedScheme } from './attribute-context.ts';
import { decodeAddress, DROPS_LINE_FEED } from './escape.ts';
import { HtmlContextError } from './fragment.ts';
import { Tokenizer } from './tokenizer.ts';

/** What may be put into a place of a template, and how. */
export type HoleKind =
  /** Between tags: anything. */
  | 'text'
  /** In a `textarea` or a `title`: text. */
  | 'rcdata'
  /** In a quoted attribute: text. */
  | 'attribute'
  /** At the beginning of an address: text that runs no program when it is followed. */
  | 'url'
  /** In `srcdoc`, whose text is markup once more. */
  | 'markup'
  /** In a script, or in the attribute of an event: what is marked. */
  | 'script'
  | 'script-attribute'
  /** In a style sheet: what is marked; in a `style` attribute also numbers. */
  | 'style'
  | 'style-attribute'
  /** In a tag, where attributes stand: what `attributes` made. */
  | 'attributes';

/** A value's place in a template. */
export interface Hole {
  readonly kind: HoleKind;
  /** A text is escaped here, and nothing else. */
  readonly isSimple: boolean;
  readonly element: string;
  readonly attribute: string;
  /** url: what stands before, how many holes the address has from here on, the quote that ends it, and what it is. */
  readonly prefix: string;
  readonly span: number;
  readonly quote: string;
  readonly address: AddressContext;
  /** A reference such as `&copy` may be unfinished in front. */
  readonly isAfterReference: boolean;
  /** The parser drops a line feed here, and the template's own text may go on with one. */
  readonly dropsLineFeed: boolean;
  readonly isBeforeLineFeed: boolean;
}

/** A template, taken apart once for all its uses. */
export interface Plan {
  readonly texts: readonly string[];
  readonly holes: readonly Hole[];
}

const OPEN_REFERENCE = /&(?:#(?:x[0-9a-f]*|[0-9]*)|[a-z][a-z0-9]*)?$/i;

/** @throws HtmlContextError when a value stands where none can be made safe, or the template ends within a tag. */
export function planOf(strings: readonly (string | undefined)[]): Plan {
  const plan: { texts: string[]; holes: Hole[] } = { texts: [], holes: [] };
  const tokenizer = new Tokenizer();
  let address = { value: 0, hole: 0 };
  for (const [index, text] of strings.entries()) {
    if (text === undefined) throw new HtmlContextError('Cannot read a template: it has an invalid escape', index);
    tokenizer.read(text);
    plan.texts.push(text);
    if (index === strings.length - 1) {
      checkEnd(tokenizer, plan);
      break;
    }
    const hole = { ...holeAt(tokenizer, plan), isBeforeLineFeed: strings[index + 1]?.startsWith('\n') === true };
    if (hole.dropsLineFeed && plan.holes.at(-1)?.dropsLineFeed === true && text === '') {
      // Which of the values is the first to show anything is not known here: one that is dropped stands in front of all.
      plan.texts[index - 1] += '\n';
      plan.holes[index - 1] = { ...(plan.holes[index - 1] as Hole), dropsLineFeed: false };
      hole.dropsLineFeed = false;
      tokenizer.isAfterStart = false;
    }
    if (hole.kind === 'url') {
      if (tokenizer.valueCount === address.value) {
        // Later holes of an address are looked at with its first one: together they may spell a scheme.
        const first = plan.holes[address.hole] as Hole;
        plan.holes[address.hole] = { ...first, span: index - address.hole + 1 };
        plan.holes.push({ ...hole, kind: 'attribute', isSimple: !hole.isAfterReference });
        continue;
      }
      address = { value: tokenizer.valueCount, hole: index };
    }
    plan.holes.push(hole);
  }
  return plan;
}

function checkEnd({ place, element, obstacle }: Tokenizer, { texts, holes }: Plan): void {
  if (place === 'text') return;
  const within =
    place === 'nowhere' ? obstacle : place === 'value' || place === 'attributes' ? 'a tag' : `<${element}>`;
  throw new HtmlContextError(
    `Cannot read a template: it ends within ${within}, after ${quoted(texts.join('${…}'))}`,
    holes.length,
  );
}

function holeAt(
  tokenizer: Tokenizer,
  { texts, holes }: { texts: string[]; holes: readonly Hole[] },
): Omit<Hole, 'isBeforeLineFeed'> & { dropsLineFeed: boolean } {
  const { place, element, attribute } = tokenizer;
  const text = texts.at(-1) as string;
  const previous = holes.at(-1);
  const kind = place === 'value' ? kindOfAttribute(tokenizer) : kindOfPlace(tokenizer, texts, holes.length);
  if (kind === 'attributes') texts[texts.length - 1] = text.replace(/[\t\n\f\r ]$/, '');
  // An empty value before this one changes nothing of what stands in front of it.
  const isAfterReference = text === '' ? (previous?.isAfterReference ?? false) : OPEN_REFERENCE.test(text);
  const dropsLineFeed =
    tokenizer.isAfterStart && DROPS_LINE_FEED.has(element) && (kind === 'text' || kind === 'rcdata');
  return {
    kind,
    isSimple: (kind === 'text' || kind === 'rcdata' || kind === 'attribute') && !isAfterReference && !dropsLineFeed,
    element,
    attribute: place === 'value' ? attribute : '',
    prefix: place === 'value' ? tokenizer.value : '',
    span: 1,
    quote: tokenizer.quote,
    address: addressIn(element, attribute),
    isAfterReference,
    dropsLineFeed,
  };
}

function kindOfAttribute({ element, attribute, value }: Tokenizer): HoleKind {
  const context = attributeContext(element, attribute);
  switch (context) {
    case 'text':
      return 'attribute';
    case 'url-list':
      return 'url';
    case 'url':
    case 'media-url': {
      const before = decodeAddress(value);
      return isBeforeScheme(before) || refusedScheme(before, 'url') !== null ? 'url' : 'attribute';
    }
    case 'markup':
      return 'markup';
    case 'script':
      return 'script-attribute';
    case 'style':
      return 'style-attribute';
  }
}

function addressIn(element: string, attribute: string): AddressContext {
  const context = attributeContext(element, attribute);
  return context === 'media-url' || context === 'url-list' ? context : 'url';
}

function kindOfPlace({ place, element, obstacle }: Tokenizer, texts: readonly string[], hole: number): HoleKind {
  if (place === 'text' || place === 'rcdata' || place === 'attributes') return place;
  if (place === 'raw-text' && (element === 'script' || element === 'style')) return element;
  const what = place === 'nowhere' ? obstacle : `<${element}>`;
  throw new HtmlContextError(`Cannot put a value into ${what}, after ${quoted(texts.join('${…}'))}`, hole);
}

const SHOWN_CHARS = 60;

function quoted(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARS ? `…${text.slice(-SHOWN_CHARS)}` : text);
}
