import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Failure, failureOf } from '@custodian/protocol';
import { codeFrame } from './continuation/code-frame.ts';

interface Place {
  file: string;
  line: number;
  column: number;
}

const STACK_PLACE = /^ +at .*?\(?(?:file:\/\/)?(\/[^\s()]+):(\d+):(\d+)\)?$/;
/** How Node begins the stack of a module that it can't parse: the line, the text, and a caret under the place. */
const SYNTAX_PLACE = /^(?:file:\/\/)?(\/\S+):(\d+)\n(?:.*\n){1,3}?( *)\^/;
/** The compiler numbers the inner function that does an outer one's work; its author knows only the outer one. */
const COMPILED_NAME = /^( +at (?:async )?[\w$.]*?)\$\d+(?= \()/gm;
const CAUSE_MAX_DEPTH = 4;

/** The record of an error, with the author's lines where it arose. `directory`: that of the servlet, ending in a slash. */
export function failureWithSource(error: unknown, directory: string): Failure {
  const failure = failureOf(error);
  if (failure.stack !== undefined) failure.stack = failure.stack.replaceAll(COMPILED_NAME, '$1');
  try {
    const place = placeOf(error, directory, 0);
    if (place !== null) failure.source = sourceAt(place);
  } catch {
    // The file has gone, or may not be read: the stack must do.
  }
  return failure;
}

/** The directory of a servlet, as stacks name it. */
export function directoryOf(servletUrl: string): string {
  return fileURLToPath(new URL('.', servletUrl));
}

function sourceAt({ file, line, column }: Place): string {
  return `${file}:${line}:${column}\n${codeFrame(readFileSync(file, 'utf8'), line, column, 4)}`;
}

function placeOf(error: unknown, directory: string, depth: number): Place | null {
  if (typeof error !== 'object' || error === null || depth > CAUSE_MAX_DEPTH) return null;
  const { place, stack, cause } = error as { place?: unknown; stack?: unknown; cause?: unknown };
  return (
    ownPlace(place, directory) ??
    ownPlace(error, directory) ??
    (typeof stack === 'string' ? stackPlace(stack, directory) : null) ??
    placeOf(cause, directory, depth + 1)
  );
}

/** Errors of the compiler and of a lost capture know their place. */
function ownPlace(value: unknown, directory: string): Place | null {
  const { file, line, column } = (value ?? {}) as Partial<Record<keyof Place, unknown>>;
  if (typeof file !== 'string' || typeof line !== 'number' || typeof column !== 'number') return null;
  return file.startsWith(directory) ? { file, line, column } : null;
}

function stackPlace(stack: string, directory: string): Place | null {
  const syntax = SYNTAX_PLACE.exec(stack);
  if (syntax !== null && (syntax[1] as string).startsWith(directory))
    return { file: syntax[1] as string, line: Number(syntax[2]), column: (syntax[3] as string).length + 1 };
  for (const text of stack.split('\n')) {
    const match = STACK_PLACE.exec(text);
    const file = match?.[1];
    if (match === null || file === undefined || !file.startsWith(directory) || file.includes('/node_modules/'))
      continue;
    return { file, line: Number(match[2]), column: Number(match[3]) };
  }
  return null;
}
