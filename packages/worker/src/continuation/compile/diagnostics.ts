import { codeFrame } from '../code-frame.ts';
import type { CompileOptions } from './compile.ts';
import type { Analysis } from './analyse.ts';
import { isPageMaker, libraryName, SERVLET_MODULES, SUSPENDING } from './library-calls.ts';
import type { FunctionInfo, Variable } from './scope.ts';
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

/** A local that is reassigned and captured by a closure is one box for all windows, although it looks like the page's own. */
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
        const write = v.refs.find((r) => r.isWrite && !r.isInit),
          captures = v.refs.filter((r) => r.closure),
          capture = captures.find((r) => r.isWrite || !isPageMaker(r.closure!, servletModules)) ?? captures[0],
          suspension = suspensionDuring(v, fn);
        if (!write || !capture || suspension < 0) continue;
        const { line, column } = lines.placeOf(capture.node),
          at = lines.at(suspension).line;
        out.push({
          code: 'SERVLET_SHARED_LOCAL',
          line,
          column,
          frame: codeFrame(source, line, column),
          message:
            `'${v.name}' is shared between all windows that go on from line ${at}: a closure uses it (line ${line}) and it is reassigned (line ${lines.at(write.node.start).line}). ` +
            'Make it const, or copy it into a const for the closure; for a value of each window use a web cell; if sharing is wanted, an object says so',
        });
      }
  }
  return out;
}

/** An await while the variable exists, or -1. */
function suspensionDuring(v: Variable, fn: FunctionInfo): number {
  const node = v.scope.node,
    from = v.refs.find((r) => r.isInit)?.node.start ?? node.start;
  return fn.awaits.find((at) => at > from && at <= node.end) ?? -1;
}
