/** Of the stripped text of the library's entry, which has nothing else. */
const EXPORTS = /^export\s*\{([^{}]*)\}\s*from\s*(['"][^'"]+['"])/gm;
/** An import of the library, by a module's text, that says what it wants. */
const NAMED_IMPORT = /(?:^|;)[ \t]*(?:import|export)\s*\{([^{}]*)\}\s*from\s*(['"])@custodian\/worker\2/gm;
/** What stands at a module's head, piece by piece, while it is plain: space, comments, and imports. */
const HEAD_PIECE = /[\s;]+|\/\/.*|\/\*[^]*?\*\/|(['"])use strict\1|(?:import|export)\b[^'"`/();=]*(['"])[^'"\n]*\2/y;
/** What a computed import may be, or what asks where one would lead. */
const MAY_COMPUTE = /\bimport\s*[(./]|\beval\b|require/i;
const MENTION = /['"`]@custodian\/worker['"`]/g;
/** What may be another spelling of it. */
const ESCAPED = /\bfrom\s*['"][^'"\n]*\\/;
const NAME = /^[\w$]+(?:\s+as\s+[\w$]+)?$/;

/** A module that exports some of what the library does, and those who are to get it in the place of the library. */
export interface LibraryPart {
  source: string;
  /** Modules that import nothing else of the library, by URL. */
  importers: string[];
}

/**
 * What modules import of the library. The whole of it is some seventy modules, which a thread takes 25 ms to load; most
 * servlets have use for a few. Whoever imports otherwise than by names, or may do so, gets the library itself.
 * @param library the text of its entry, without types
 * @param modules their texts, by URL, as the thread will run them
 * @returns null: there is nothing to be gained
 */
export function libraryPart(library: string, modules: Iterable<[url: string, text: string]>): LibraryPart | null {
  const wanted = new Set<string>();
  const importers: string[] = [];
  for (const [url, text] of modules) {
    const names = namesIn(text);
    if (names === null) continue;
    for (const name of names) wanted.add(name);
    importers.push(url);
  }
  let source = '';
  for (const [, list = '', from = ''] of library.matchAll(EXPORTS)) {
    const specifiers = specifiersIn(list).filter((specifier) => wanted.delete(specifier.split(/\s+/).at(-1) as string));
    if (specifiers.length > 0) source += `export { ${specifiers.join(', ')} } from ${from};\n`;
  }
  // Of a name that it has not, the library itself is to say so.
  return importers.length === 0 || wanted.size > 0 ? null : { source, importers };
}

/** null: it imports nothing of the library when it is linked, or perhaps more than these. */
function namesIn(text: string): string[] | null {
  const named = Array.from(text.matchAll(NAMED_IMPORT), (match) => specifiersIn(match[1] as string));
  if (named.length === 0 || named.length !== text.match(MENTION)?.length || ESCAPED.test(text)) return null;
  if (MAY_COMPUTE.test(text) && !importsAtHead(text)) return null;
  const specifiers = named.flat();
  return specifiers.every((each) => NAME.test(each)) ? specifiers.map((each) => each.split(/\s+/)[0] as string) : null;
}

/**
 * What looks like an import further down may stand in a comment or a string. Then it is a computed one that gets the part, as the module
 * runs.
 */
function importsAtHead(text: string): boolean {
  HEAD_PIECE.lastIndex = 0;
  for (let piece; (piece = HEAD_PIECE.exec(text)?.[0]) !== undefined;)
    if (/^[ie]/.test(piece) && piece.search(NAMED_IMPORT) === 0) return true;
  return false;
}

function specifiersIn(list: string): string[] {
  return list
    .split(',')
    .map((specifier) => specifier.trim())
    .filter((specifier) => specifier !== '');
}
