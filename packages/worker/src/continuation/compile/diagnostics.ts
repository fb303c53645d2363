import { codeFrame } from '../code-frame.ts';
import type { CompileOptions } from './compile.ts';
import type { Analysis } from './analyse.ts';
import { isClass, isFunction, type Node } from './ast.ts';
import { isPageMaker, libraryName, SERVLET_MODULES, SUSPENDING } from './library-calls.ts';
import type { FunctionInfo, Ref, Variable } from './scope.ts';
import type { SourceLines } from './source-lines.ts';

/** Something the author should know when his module is loaded; the module runs all the same. */
export interface Diagnostic {
  code: 'SERVLET_SHARED_LOCAL';
  message: string;
  frame: string;
  line: number;
  column: number;
}

/** The module holds a suspension that can never work. `line` and `column` (from 1) are the author's. */
export class ServletCompileError extends Error {
  override readonly name = 'ServletCompileError';
  readonly code = 'SERVLET_SUSPEND_IN_GENERATOR';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly frame: string;
  constructor(message: string, file: string, line: number, column: number, frame: string) {
    super(`${message} (${file}:${line}:${column})\n${frame}`);
    this.file = file;
    this.line = line;
    this.column = column;
    this.frame = frame;
  }
}

/** What can be said about a module before it runs. @throws ServletCompileError */
export function diagnose(
  analysis: Analysis,
  source: string,
  lines: SourceLines,
  options: CompileOptions,
): Diagnostic[] {
  refuseSuspendingGenerators(analysis, source, lines, options);
  return sharedLocals(analysis, source, lines, options.servletModules);
}

function refuseSuspendingGenerators(
  analysis: Analysis,
  source: string,
  lines: SourceLines,
  { file, servletModules = SERVLET_MODULES }: CompileOptions,
): void {
  for (const variable of analysis.root.scope.variables.values()) {
    const imported = libraryName(variable, servletModules);
    if (imported === null) continue;
    for (const ref of variable.refs) {
      const fn = ref.scope.fn.node,
        called = source.slice(ref.node.end).match(/^\s*(?:\.\s*(\w+)\s*)?\(/);
      if (
        !fn['async'] ||
        !fn['generator'] ||
        !called ||
        !SUSPENDING.has(imported === '*' ? (called[1] ?? '') : imported)
      )
        continue;
      const { line, column } = lines.placeOf(ref.node),
        name = imported === '*' ? called[1] : imported;
      throw new ServletCompileError(
        `Cannot call ${name} in an async generator: its frames are native code, which cannot be captured; suspend in the loop that consumes it`,
        file,
        line,
        column,
        codeFrame(source, line, column),
      );
    }
  }
}

/** A local that is one box for all windows, although it looks like the page's own. */
function sharedLocals(
  analysis: Analysis,
  source: string,
  lines: SourceLines,
  servletModules: readonly string[] = SERVLET_MODULES,
): Diagnostic[] {
  const out: Diagnostic[] = [];
  for (const fn of analysis.functions) {
    if (!fn.isResumable) continue;
    for (const scope of fn.scopes)
      for (const v of scope.variables.values()) {
        if (!v.isHoisted || !v.isBoxed || v.kind === 'function') continue;
        const captures = v.refs.filter((r) => r.closure),
          seen = captures.filter((r) => r.isWrite || !isPageMaker(r.closure!, servletModules)),
          shared = reassigned(v, fn, lines, seen[0] ?? captures[0]) ?? assignedLate(v, fn, seen, source, lines);
        if (!shared) continue;
        const { line, column } = lines.placeOf(shared.capture.node),
          at = lines.at(shared.suspension).line;
        out.push({
          code: 'SERVLET_SHARED_LOCAL',
          line,
          column,
          frame: codeFrame(source, line, column),
          message: `'${v.name}' is shared between all windows that go on from line ${at}: ${shared.why}`,
        });
      }
  }
  return out;
}

interface Shared {
  /** The use by a closure that is reported. */
  capture: Ref;
  /** The await from which windows share the variable. */
  suspension: number;
  /** Why, and the way out. */
  why: string;
}

function reassigned(v: Variable, fn: FunctionInfo, lines: SourceLines, capture: Ref | undefined): Shared | null {
  const write = v.refs.find((r) => r.isWrite && !isFirst(r, v)),
    suspension = suspensionDuring(v, fn);
  if (!write || !capture || suspension < 0) return null;
  const why =
    `a closure uses it (line ${lines.placeOf(capture.node).line}) and it is reassigned (line ${lines.at(write.node.start).line}). ` +
    'Make it const, or copy it into a const for the closure; for a value of each window use a web cell; if sharing is wanted, an object says so';
  return { capture, suspension, why };
}

/** A closure that was made before the variable got its value finds the one of whichever window went on last. */
function assignedLate(
  v: Variable,
  fn: FunctionInfo,
  captures: Ref[],
  source: string,
  lines: SourceLines,
): Shared | null {
  if (isSameInAll(v)) return null;
  for (const write of v.refs.filter((r) => r.isWrite && isFirst(r, v)))
    for (const capture of captures) {
      const suspension = fn.awaits.find((at) => at > capture.closureStart && at <= write.end);
      if (suspension === undefined || isOverAtOnce(capture, write, fn, source)) continue;
      const { type, id, start } = capture.closure!,
        name = id ? `'${id.name}'` : 'the closure',
        [who, wayOut] =
          type === 'FunctionDeclaration'
            ? [`${name} uses it, which was made before, where its block begins`, `make ${name} after it, as a const`]
            : [`a closure uses it that was made before (line ${lines.at(start).line})`, `declare ${name} after it`],
        why =
          `it gets its value after that (line ${lines.at(write.node.start).line}), and ${who}. ` +
          `Pass the value as an argument, or ${wayOut}; if sharing is wanted, an object says so`;
      return { capture, suspension, why };
    }
  return null;
}

/** The write gives the variable its only value; of a `var` that is an assignment like others. */
function isFirst(write: Ref, v: Variable): boolean {
  if (write.isInit) return true;
  return v.kind === 'var' && !write.closure && !write.loop && v.refs.filter((r) => r.isWrite).length === 1;
}

/**
 * Nothing suspends after the write, and the closure is only called, by the function itself: it reads what was written just before.
 * `const name = await ask(); return page(); function page() { … }` is such a one.
 */
function isOverAtOnce(capture: Ref, write: Ref, fn: FunctionInfo, source: string): boolean {
  const closure = capture.closure!;
  if (write.scope.loop || fn.awaits.some((at) => at > write.end)) return false;
  if (capture.scope.fn.node !== closure || closure['async'] || closure['generator']) return false;
  const named = fn.scopes
    .flatMap((scope) => [...scope.variables.values()])
    .find(({ declaration }) => declaration === closure || declaration?.['init'] === closure);
  return (
    named !== undefined &&
    named.refs.every((r) => r.isInit || (r.scope.fn === fn && /^\s*\(/.test(source.slice(r.node.end, r.node.end + 80))))
  );
}

/** Its value is the same, whatever the windows answered: a literal, or code that uses nothing of the functions around it. */
function isSameInAll(v: Variable): boolean {
  const { declaration } = v,
    isVariable = declaration?.type === 'VariableDeclarator' && declaration['id'].type === 'Identifier',
    value = (isVariable ? declaration['init'] : declaration) as Node | null | undefined;
  if (!value) return false;
  if (value.type === 'Literal') return true;
  if (isClass(value)) return !value['superClass'] && isAlone(value);
  return isFunction(value) && isAlone(value);
}

function isAlone(closure: Node): boolean {
  for (const used of closure.$captures ?? []) if (used.scope.fn.parent && used.kind !== 'self') return false;
  return true;
}

/** An await while the variable exists, or -1. */
function suspensionDuring(v: Variable, fn: FunctionInfo): number {
  const node = v.scope.node,
    from = v.refs.find((r) => r.isInit)?.node.start ?? node.start;
  return fn.awaits.find((at) => at > from && at <= node.end) ?? -1;
}
