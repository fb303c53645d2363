/** After these a slash begins a regular expression; after anything else it divides. */
const BEFORE_REGEXP =
  /(?:^|[([{,;:=!&|?+\-*%^~<>}]|\b(?:return|typeof|case|in|of|delete|void|throw|new|instanceof|await|yield|else|do))$/;

/**
 * Where the expression ends that begins at `start`, in the middle of a text: at the brace that closes what was opened before
 * it. Strings, templates, comments and regular expressions are skipped. -1: it does not end.
 */
export function expressionEnd(text: string, start: number): number {
  let depth = 0;
  /** What came before, without blanks and comments: as much as tells a division from a regular expression. */
  let before = '';
  for (let at = start; at < text.length;) {
    const character = text[at] as string;
    if (/\s/.test(character)) {
      at += 1;
      continue;
    }
    if (text.startsWith('//', at) || text.startsWith('/*', at)) {
      at = commentEnd(text, at);
      continue;
    }
    if (character === '}' && depth === 0) return at;
    let end = at + 1;
    if (character === '"' || character === "'") end = quotedEnd(text, at, character);
    else if (character === '`') end = templateEnd(text, at + 1);
    else if (character === '/' && BEFORE_REGEXP.test(before)) end = regexpEnd(text, at);
    else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    else if (/[\w$]/.test(character)) end = wordEnd(text, at);
    if (end === -1) return -1;
    before = /[\w$]/.test(character) ? text.slice(at, end) : character;
    at = end;
  }
  return -1;
}

function wordEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && /[\w$]/.test(text[end] as string)) end += 1;
  return end;
}

function commentEnd(text: string, start: number): number {
  const end = text.startsWith('//', start) ? text.indexOf('\n', start) : text.indexOf('*/', start + 2) + 1;
  return end <= 0 ? text.length : end + 1;
}

function quotedEnd(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === quote) return at + 1;
    else if (character === '\n') return -1;
  }
  return -1;
}

function templateEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '`') return at + 1;
    else if (character === '$' && text[at + 1] === '{') {
      const end = expressionEnd(text, at + 2);
      if (end === -1) return -1;
      at = end;
    }
  }
  return -1;
}

function regexpEnd(text: string, start: number): number {
  let isInClass = false;
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '\n') return -1;
    else if (character === '[') isInClass = true;
    else if (character === ']') isInClass = false;
    else if (character === '/' && !isInClass) return at + 1;
  }
  return -1;
}
