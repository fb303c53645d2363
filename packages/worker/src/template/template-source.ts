import * as nodeModule from 'node:module';
import type * as NodeVm from 'node:vm';
import { HtmlContextError } from '../html/fragment.ts';
import { planOf } from '../html/plan.ts';
import { expressionEnd } from './expression-end.ts';

/** A place in a template's file; lines and columns from 1. */
export interface TemplatePlace {
  file: string;
  line: number;
  column: number;
}

/** A template can't be read, or its text is none. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly code = 'SERVLET_TEMPLATE';
  /** Where in the file, if it is a matter of its text. */
  readonly place: TemplatePlace | null;

  constructor(file: string, state: string, at: { text: string; offset: number } | null, cause?: unknown) {
    const place = at === null ? null : { file, ...lineOf(at.text, at.offset) };
    const where = place === null ? file : `${file}:${place.line}:${place.column}`;
    super(`Cannot use the template ${where}: ${state}`, cause === undefined ? undefined : { cause });
    this.place = place;
  }
}

/** How the values of a template are shown. */
export type TemplateKind = 'html' | 'text';

/** A template that has been read. */
export interface TemplateSource {
  /** Of a function that fills it in; each of its lines is the line of the file. */
  body: string;
  text: string;
  expressions: readonly Expression[];
}

/** @throws TemplateError, which names the line */
export function templateSource(file: string, text: string, kind: TemplateKind): TemplateSource {
  const { texts, expressions } = partsOf(file, text);
  if (kind === 'html') checkPlaces(file, text, texts, expressions);
  let body = texts[0] === undefined ? '' : literal(texts[0]);
  for (const [index, { code }] of expressions.entries()) body += `\${${code}}${literal(texts[index + 1] as string)}`;
  const source = `${HEAD}\`${body}\`;`;
  if (isJavaScript(source)) return { body: source, text, expressions };
  try {
    // Loading what takes types away costs a thread some 40 ms and 10 MB: only who writes types pays that.
    const stripped = nodeModule
      .stripTypeScriptTypes(`function fill() {${source}\n}`)
      .slice('function fill() {'.length, -2);
    if (isJavaScript(stripped)) return { body: stripped, text, expressions };
    throw new SyntaxError('it is neither TypeScript nor JavaScript');
  } catch (cause) {
    throw new TemplateError(
      file,
      `an expression is not valid: ${firstLine(cause)}`,
      faultyExpression(text, expressions),
      cause,
    );
  }
}

/** What stands before the text in the first line of a {@link TemplateSource}'s body. */
export const HEAD = "'use strict';return $fill";

function isJavaScript(body: string): boolean {
  try {
    compiled(body, ['$fill'], 'template');
    return true;
  } catch {
    return false;
  }
}

let loaded: Partial<typeof NodeVm> | null = null;

function vmOrNothing(): Partial<typeof NodeVm> {
  try {
    return process.getBuiltinModule('node:vm');
  } catch {
    return {};
  }
}

/** A function of the body, whose first line is that of the file. A guest has no module for that. */
export function compiled(body: string, names: readonly string[], file: string): (...values: unknown[]) => unknown {
  // Loaded by the first template: most servlets have none.
  loaded ??= vmOrNothing();
  const { compileFunction } = loaded;
  if (typeof compileFunction === 'function')
    return compileFunction(body, [...names], { filename: file, columnOffset: -HEAD.length - 1 }) as never;
  // oxlint-disable-next-line no-eval -- in the global scope; `new Function` would put two lines in front
  return (0, eval)(`(function (${names.join()}) {${body}\n})\n//# sourceURL=${file}`) as never;
}

export interface Expression {
  code: string;
  /** Where it begins in the file. */
  offset: number;
}

function partsOf(file: string, text: string): { texts: string[]; expressions: Expression[] } {
  const texts: string[] = [];
  const expressions: Expression[] = [];
  let own = '';
  let at = 0;
  for (;;) {
    const open = text.indexOf('${', at);
    if (open === -1) break;
    own += text.slice(at, open);
    if (own.endsWith('\\')) {
      // `\${` is written as it is.
      own = `${own.slice(0, -1)}\${`;
      at = open + 2;
      continue;
    }
    const end = expressionEnd(text, open + 2);
    if (end === -1) throw new TemplateError(file, 'an expression in it does not end', { text, offset: open });
    const code = text.slice(open + 2, end);
    if (code.trim() === '') throw new TemplateError(file, 'an expression in it is empty', { text, offset: open });
    texts.push(own);
    expressions.push({ code, offset: open + 2 });
    own = '';
    at = end + 1;
  }
  texts.push(own + text.slice(at));
  return { texts, expressions };
}

/** Values that stand where none may are found here, before there are any. */
function checkPlaces(file: string, text: string, texts: readonly string[], expressions: readonly Expression[]): void {
  try {
    planOf(texts);
  } catch (error) {
    if (!(error instanceof HtmlContextError)) throw error;
    const offset = expressions[error.hole]?.offset ?? text.length;
    throw new TemplateError(file, error.message, { text, offset }, error);
  }
}

/** A text as it stands in a template literal. */
function literal(text: string): string {
  return text.replace(/[\\`\r]|\$(?=\{)/g, (character) => (character === '\r' ? '\\r' : `\\${character}`));
}

/** The first expression that is none by itself; the first of all if each is one. */
function faultyExpression(text: string, expressions: readonly Expression[]): { text: string; offset: number } {
  const faulty = expressions.find(({ code }) => {
    try {
      nodeModule.stripTypeScriptTypes(`(${code}\n)`);
      return false;
    } catch {
      return true;
    }
  });
  return { text, offset: (faulty ?? expressions[0])?.offset ?? 0 };
}

export function lineOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1) as string).length + 1 };
}

function firstLine(error: unknown): string {
  return String((error as Error).message)
    .trim()
    .split('\n', 1)[0] as string;
}
