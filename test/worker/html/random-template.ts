import fc from 'fast-check';

/** Text with everything in it that means something to a parser. */
export const HOSTILE_TEXT: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom('&', '<', '>', '"', "'", '`', '=', '/', ' ', '\n', '\r', '\r\n', '\t', '\0', ';', '#', '-', '!'),
      fc.constantFrom(
        '&amp;',
        '&lt',
        '&#60;',
        '&#x',
        'amp;',
        'copy',
        '-->',
        '<!--',
        ']]>',
        '</p>',
        '</textarea>',
        '</title>',
      ),
      fc.constantFrom(
        '<script>',
        '</script>',
        '<b onclick=x>',
        '" onload="x',
        "' x='",
        'javascript:',
        '</style',
        '<svg/',
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

/** A piece of a template: its own text, or the place of a value. */
export type TemplatePart = string | null;

/** Texts that an author may write between elements. */
const OWN_TEXT = fc.constantFrom('', ' ', 'text', '\n', 'a & b', '& ', 'a < b', '<!-- <b> -->', '&lt;');

/** References that the author left open, in front of a value. */
const OPEN_REFERENCE = fc.constantFrom('&', '&am', '&copy', '&#', '&#x4');

/** Attributes that a text may stand in. */
const attribute: fc.Arbitrary<TemplatePart[]> = fc
  .tuple(
    fc.constantFrom('title', 'data-x', 'class', 'value', 'alt'),
    fc.constantFrom('"', "'"),
    fc.constantFrom<TemplatePart[]>(
      [null],
      ['a ', null],
      [null, null],
      ['&', null, ' b'],
      ['&amp', null, null],
      ['/x?a=1&b=', null],
    ),
  )
  .map(([name, quote, value]) => [` ${name}=${quote}`, ...value, quote]);

const words: fc.Arbitrary<TemplatePart[]> = fc.oneof(
  OWN_TEXT.map((text) => [text]),
  OPEN_REFERENCE.map((text) => [text, null, ' ']),
  fc.constant<TemplatePart[]>([null]),
);

export const randomTemplate: fc.Arbitrary<TemplatePart[]> = fc.letrec<{
  list: TemplatePart[];
  element: TemplatePart[];
}>((tie) => ({
  element: fc.oneof(
    fc
      .tuple(
        fc.constantFrom('div', 'b', 'PRE', 'listing', 'section', 'noscript'),
        fc.uniqueArray(attribute, { maxLength: 2, selector: (parts) => /\w+/.exec(parts[0] as string)?.[0] }),
        tie('list'),
      )
      .map(([tag, attributes, children]) => [`<${tag}`, ...attributes.flat(), '>', ...children, `</${tag}>`]),
    fc
      .tuple(fc.constantFrom('textarea', 'title'), fc.array(words, { maxLength: 3 }))
      .map(([tag, texts]) => [`<${tag}>`, ...texts.flat(), `</${tag}>`]),
    attribute.map((parts) => ['<input type="text"', ...parts, ' />']),
  ),
  list: fc
    .array(fc.oneof({ depthSize: 'small' }, words, tie('element')), { maxLength: 4 })
    .map((lists) => lists.flat()),
})).list;

/** The texts of a template, as a tag gets them, and how many values it takes. */
export function templateOf(parts: readonly TemplatePart[]): { strings: TemplateStringsArray; count: number } {
  const strings = [''];
  for (const part of parts) {
    if (part === null) strings.push('');
    else strings[strings.length - 1] += part;
  }
  return { strings: Object.assign(strings, { raw: strings }), count: strings.length - 1 };
}
