const SPECIAL = /[&<>"'\r\0]/;

/**
 * Text as markup that shows it, in an element or a quoted attribute. A carriage return is written as a reference, since
 * a parser makes a line feed of the character; NUL becomes U+FFFD, since markup has no way to say it.
 */
export function escapeHtml(text: string): string {
  const first = text.search(SPECIAL);
  return first === -1 ? text : escapeFrom(text, first);
}

/** Slices beat a replacement by function, which is called for each character. */
function escapeFrom(text: string, first: number): string {
  let escaped = '';
  let start = 0;
  for (let index = first; index < text.length; index += 1) {
    const entity = entityOf(text.charCodeAt(index));
    if (entity === '') continue;
    escaped += text.slice(start, index) + entity;
    start = index + 1;
  }
  return escaped + text.slice(start);
}

function entityOf(code: number): string {
  switch (code) {
    case 0x26:
      return '&amp;';
    case 0x3c:
      return '&lt;';
    case 0x3e:
      return '&gt;';
    case 0x22:
      return '&quot;';
    case 0x27:
      return '&#39;';
    case 0x0d:
      return '&#13;';
    case 0:
      return '\ufffd';
    default:
      return '';
  }
}

// Numbers need no semicolon. Of the standard's names, those of characters that count in an address.
const REFERENCE = /&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|(amp|colon|gt|lt|NewLine|period|plus|quot|semi|sol|Tab);)/g;
const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  colon: ':',
  gt: '>',
  lt: '<',
  NewLine: '\n',
  period: '.',
  plus: '+',
  quot: '"',
  semi: ';',
  sol: '/',
  Tab: '\t',
};

/** The address that a browser reads in an attribute's markup, whoever has written it. */
export function decodeAddress(markup: string): string {
  if (!markup.includes('&')) return markup;
  return markup.replace(REFERENCE, (_reference, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return NAMED[name] as string;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code === 0 || code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
  });
}

const LINE_FEED = /\r?\n|\r|&#(?:0*10(?!\d)|[xX]0*[aA](?![0-9a-fA-F]));?|&NewLine;/y;

/** In these a parser drops a line feed that comes first. */
export const DROPS_LINE_FEED: ReadonlySet<string> = new Set(['listing', 'pre', 'textarea']);

/** How much of the markup at `at` shows a line feed; 0 when it shows something else. */
export function lineFeedLength(markup: string, at = 0): number {
  LINE_FEED.lastIndex = at;
  return LINE_FEED.test(markup) ? LINE_FEED.lastIndex - at : 0;
}

/** The quotes of markup that goes into a quoted attribute, where its entities mean the same as in an element. */
export function escapeQuotes(markup: string): string {
  return markup.replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
