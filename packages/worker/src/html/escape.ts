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

const ENTITY = /&(?:amp|lt|gt|quot|#39|#13);/g;
const CHARACTERS: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&#13;': '\r',
};

/** The text that {@link escapeHtml} made markup of. */
export function unescapeHtml(markup: string): string {
  return markup.includes('&') ? markup.replace(ENTITY, (entity) => CHARACTERS[entity] as string) : markup;
}

/** The quotes of markup that goes into a quoted attribute, where its entities mean the same as in an element. */
export function escapeQuotes(markup: string): string {
  return markup.replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
