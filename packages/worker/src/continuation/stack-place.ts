import { ownFiles } from './own-files.ts';

/** A place in the author's source; line and column count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

const AT = /^ *at /;
const CALL = /^(?:.*? \()?(?:async )?((?:file:\/\/)?\/(?:(?!<anonymous>).)+):(\d+):(\d+)\)?$/;

/**
 * Where a line of a stack points to, `at name (file:line:column)` or `at async file:line:column`; null: to no file. Paths may hold
 * spaces and parentheses; modules that are run as they are have URLs.
 */
export function placeInStack(line: string): Place | null {
  return AT.test(line) ? placeOfCall(line.replace(AT, '')) : null;
}

/** The same of a call by itself, without the ` at ` that stacks have before it, and messages have not. */
export function placeOfCall(call: string): Place | null {
  const match = CALL.exec(call);
  return match && { file: pathOf(match[1]!), line: Number(match[2]), column: Number(match[3]) };
}

/** Of a `file:` URL as stacks have it, or of what is a path already. */
export function pathOf(location: string): string {
  return location.startsWith('file://') ? decodeURIComponent(location.slice('file://'.length)) : location;
}

const NAME = /^ *at ((?:[\w$]+\.)*(?:#?[\w$]+|<anonymous>))(?= \()/;
const NUMBER = /\$\d+$/;

/**
 * The lines of a stack as the author would have it. A compiled function is two calls: `name$1` does the work of `name`, which stands
 * right below and says nothing new. What has no name of its own is `anonymous$1` above, and by what it is reached below.
 */
export function authorsCalls(lines: readonly string[]): string[] {
  const calls: string[] = [];
  let above = '';
  for (const line of lines) {
    const name = NAME.exec(line)?.[1] ?? '';
    const body = above.replace(NUMBER, '');
    const isWrapper =
      body !== above &&
      (body === 'anonymous'
        ? name !== '' && isOfOneFile(line, calls.at(-1)!)
        : body === name.slice(name.lastIndexOf('.') + 1));
    if (!isWrapper) calls.push(line);
    else if (body === 'anonymous') calls.push(calls.pop()!.replace(above, () => name));
    above = isWrapper ? '' : name;
  }
  return calls.map((call) => call.replace(COMPILED_NAME, '$1'));
}
/** Of asynchronous callers the inner function alone is on the stack. */
const COMPILED_NAME = /^( *at (?:async )?[\w$.]*?)\$\d+(?= \()/;

function isOfOneFile(line: string, other: string): boolean {
  const file = placeInStack(line)?.file;
  return file !== undefined && file === placeInStack(other)?.file;
}

/** Where the runtime goes on from a continuation, or makes a page after the unwinding. */
const entries = /^ +at (?:async )?(?:\w+\.)?(?:runFrames|deliver) /;
const internals = /\(node:|^ +at (?:async )?node:/;

/** Of the lines of a stack those above the runtime's entry. */
export function aboveEntry(lines: readonly string[]): readonly string[] {
  const entry = lines.findIndex((line) => ownFiles.test(line) && entries.test(line));
  if (entry < 0) return lines;
  const own = lines.slice(0, entry);
  while (own.length > 1 && (ownFiles.test(own.at(-1)!) || internals.test(own.at(-1)!))) own.pop();
  return own;
}
