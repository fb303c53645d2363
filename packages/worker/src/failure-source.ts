import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CRASH_RECORD, type Failure, failureOf } from '@custodian/protocol';
import { leadsOut } from './guest/links.ts';
import { codeFrame } from './continuation/code-frame.ts';
import { servletFile } from './servlet/beside.ts';
import { ownFiles } from './continuation/own-files.ts';
import { aboveEntry, authorsCalls, pathOf, type Place, placeInStack } from './continuation/stack-place.ts';

/** How Node begins the stack of a module that it can't parse: the line, the text, and a caret under the place. */
const SYNTAX_PLACE = /^((?:file:\/\/)?\/.+):(\d+)\n(?:.*\n){1,3}?( *)\^/;
/** What Node says of an import of what is not there: its path or its package's name, and the path of who imports it. */
const MISSING_IMPORT = /^Cannot find (?:module|package) '(.+?)' imported from (.+)$/m;
const IMPORT = /(\b(?:from|import)\s*\(?\s*)['"]([^'"\n]+)['"]/g;
const RETURNED = /^Cannot answer with what servlet ".*" returned: /;
const MAIN = /^export (?:async function|function|const|let|var)\*? start\b/m;
const CAUSE_MAX_DEPTH = 4;

/**
 * The record of an error, its stack as the author would write it.
 * @param directory that of the servlet, ending in a slash: the record has his lines where the error arose; null: without them
 */
export function authorsFailure(error: unknown, directory: string | null): Failure {
  const failure = failureOf(error);
  let isPlaced = false;
  try {
    const place = directory === null ? null : placeOf(error, directory, 0);
    isPlaced = place !== null;
    if (place !== null) failure.source = sourceAt(place);
  } catch {
    // The file has gone, or may not be read: the stack must do.
  }
  for (const each of withInner(failure))
    if (each.stack !== undefined) each.stack = authorsStack(each.stack, isPlaced || each.cause !== undefined);
  return failure;
}

/** Node, and the pool of threads that the library runs in. */
const ENGINES = /\((?:node:|<anonymous>)|^ +at (?:async )?(?:node:|new Promise )|\/node_modules\/piscina\//;

/**
 * Without whoever called the author's code: the library and Node. A library that threw stays on top.
 * @param isTold the author's line is shown, or the cause, so that a stack of the library alone is of no use
 */
function authorsStack(stack: string, isTold: boolean): string {
  const lines = authorsCalls(aboveEntry(stack.split('\n')));
  const end = lines.findLastIndex((line) => !ownFiles.test(line) && !ENGINES.test(line)) + 1;
  const isOfLibrary = ownFiles.test(lines.find((line) => /^ +at /.test(line)) ?? '');
  const hasCalls = lines.slice(0, end).some((line) => placeInStack(line) !== null);
  return (isOfLibrary && !hasCalls && !isTold ? lines : lines.slice(0, end)).join('\n');
}

/**
 * An error that nobody catches, in a timer say, ends the thread. From now on its record goes to the supervisor with it, as the
 * property {@link CRASH_RECORD}: here alone are the author's lines known.
 */
export function recordCrashes(directory: string | null): void {
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    try {
      const record = JSON.stringify(authorsFailure(error, directory));
      Object.defineProperty(error, CRASH_RECORD, { value: record, configurable: true });
    } catch {
      // It was no object, or a frozen one: the supervisor makes do with what it gets.
    }
  });
}

function withInner(failure: Failure): Failure[] {
  const { cause, errors = [] } = failure;
  return [failure, ...(cause === undefined ? errors : [cause, ...errors]).flatMap(withInner)];
}

/** The directory of a servlet, as stacks name it. */
export function directoryOf(servletUrl: string): string {
  return fileURLToPath(new URL('.', servletUrl));
}

/** Stacks do not count the mark of byte order. @throws Error when it lies elsewhere */
function readText(file: string): string {
  // A guest that has replaced what finds it could give a number, which is a descriptor.
  const path = `${file}`;
  if (leadsOut(path)) throw new Error('Cannot read a line: it is of a file elsewhere');
  return readFileSync(path, 'utf8').replace(/^\ufeff/, '');
}

function sourceAt({ file, line, column }: Place): string {
  const text = readText(file);
  return `${file}:${line}:${column}\n${codeFrame(text, line, column, 4)}`;
}

function placeOf(error: unknown, directory: string, depth: number): Place | null {
  if (typeof error !== 'object' || error === null || depth > CAUSE_MAX_DEPTH) return null;
  const { place, stack, cause } = error as { place?: unknown; stack?: unknown; cause?: unknown };
  return (
    ownPlace(place, directory) ??
    ownPlace(error, directory) ??
    (typeof stack === 'string' ? stackPlace(stack, directory) : null) ??
    missingImport(error, directory) ??
    returningFunction(error, directory) ??
    placeOf(cause, directory, depth + 1) ??
    // All that Promise.any() says is in there.
    (error instanceof AggregateError ? placeOf(error.errors[0], directory, depth + 1) : null)
  );
}

/** Errors of the compiler and of a lost capture know their place. */
function ownPlace(value: unknown, directory: string): Place | null {
  const { file, line, column } = (value ?? {}) as Partial<Record<keyof Place, unknown>>;
  if (typeof file !== 'string' || typeof line !== 'number' || typeof column !== 'number') return null;
  return file.startsWith(directory) ? { file, line, column } : null;
}

/** Where it stands that a module imports what is not there: Node names the module alone. */
function missingImport(error: object, directory: string): Place | null {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code !== 'ERR_MODULE_NOT_FOUND') return null;
  const [, missing, file] = MISSING_IMPORT.exec(String(message)) ?? [];
  if (missing === undefined || !file?.startsWith(directory)) return null;
  const text = readText(file);
  for (const { 1: before = '', 2: specifier = '', index } of text.matchAll(IMPORT)) {
    const url = /^(?:\.{0,2}\/|file:)/.test(specifier) ? URL.parse(specifier, pathToFileURL(file).href) : null;
    if (url === null ? specifier !== missing && !specifier.startsWith(`${missing}/`) : pathOf(url.href) !== missing)
      continue;
    const lines = text.slice(0, index + before.length + 1).split('\n');
    return { file, line: lines.length, column: lines.at(-1)!.length };
  }
  return null;
}

/** What returned what is no response is over, and on no stack: it stands where the servlet's function begins. */
function returningFunction(error: object, directory: string): Place | null {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const file = servletFile();
  if (code !== 'SERVLET_RESPONSE_TYPE' || !RETURNED.test(String(message)) || !file?.startsWith(directory)) return null;
  const text = readText(file);
  const found = /^export default\b/m.exec(text) ?? MAIN.exec(text);
  if (found === null) return null;
  return { file, line: text.slice(0, found.index).split('\n').length, column: 1 };
}

function stackPlace(stack: string, directory: string): Place | null {
  const syntax = SYNTAX_PLACE.exec(stack);
  if (syntax !== null) {
    const file = pathOf(syntax[1] as string);
    if (file.startsWith(directory)) return { file, line: Number(syntax[2]), column: (syntax[3] as string).length + 1 };
  }
  for (const text of stack.split('\n')) {
    const place = placeInStack(text);
    if (place?.file.startsWith(directory) === true && !place.file.includes('/node_modules/')) return place;
  }
  return null;
}
