import { codeFrame } from './code-frame.ts';

/**
 * The module's code nests deeper than the stack of what compiles it reaches. `line` and `column` (from 1) are the author's; 1 and 1
 * where only the module is known.
 */
export class ServletTooDeepError extends Error {
  override readonly name = 'ServletTooDeepError';
  readonly code = 'SERVLET_TOO_DEEP';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly frame: string;
  constructor(file: string, { source, line, column }: { source: string; line: number; column: number }) {
    const frame = codeFrame(source, line, column),
      where = line === 1 && column === 1 ? 'somewhere' : 'here';
    super(
      `Cannot compile the module: its code nests too deep ${where}; make several statements of a long chain of calls, a switch or a Map of a long chain of else ifs (${file}:${line}:${column})\n${frame}`,
    );
    this.file = file;
    this.line = line;
    this.column = column;
    this.frame = frame;
  }
}
