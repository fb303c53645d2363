import { parse as acornParse } from 'acorn';
import type { Node } from './ast.ts';
import { ServletTooDeepError } from '../too-deep-error.ts';

/** The source cannot be parsed. `line` and `column` (from 1) are the author's. */
export class ServletSyntaxError extends SyntaxError {
  override readonly name = 'SyntaxError';
  readonly code = 'SERVLET_SYNTAX';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  constructor(message: string, file: string, line: number, column: number) {
    super(`${message.replace(/ \(\d+:\d+\)$/, '')} (${file}:${line}:${column})`);
    this.file = file;
    this.line = line;
    this.column = column;
  }
}

/**
 * Parses a module or a script, with positions. `tokens` gets its tokens, and a semicolon where the language puts one.
 * @throws ServletSyntaxError, ServletTooDeepError
 */
export function parse(source: string, file: string, sourceType: 'module' | 'script', tokens?: string[]): Node {
  const ends: number[] = [],
    semicolons = new Set<number>();
  try {
    const program = acornParse(source, {
      ecmaVersion: 'latest',
      sourceType,
      allowHashBang: true,
      ...(tokens && {
        onToken: ({ start, end }) => {
          tokens.push(source.slice(start, end));
          ends.push(end);
        },
        onInsertedSemicolon: (end) => semicolons.add(end),
      }),
    }) as unknown as Node;
    if (tokens) {
      const all = tokens.flatMap((token, i) => (semicolons.has(ends[i]!) && token !== '' ? [token, ';'] : [token]));
      tokens.splice(0, tokens.length, ...all);
    }
    return program;
  } catch (error) {
    const at = (error as { loc?: { line: number; column: number } }).loc;
    if (!at) throw error;
    const { message } = error as Error;
    if (message.startsWith('Not enough stack space'))
      throw new ServletTooDeepError(file, { source, line: at.line, column: at.column + 1 });
    throw new ServletSyntaxError(
      source[(error as { pos: number }).pos] === '@'
        ? 'Decorators are not JavaScript yet, and Node runs none'
        : message,
      file,
      at.line,
      at.column + 1,
    );
  }
}
