import type { Analysis } from './analyse.ts';
import { hasDirective, type Node } from './ast.ts';
import { isPageMaker, SERVLET_MODULES } from './library-calls.ts';
import { openScopes } from './opened.ts';
import type { FunctionInfo, Loop, Ref, Scope, Variable } from './scope.ts';

/** What is no name in a module, or no variable's. A method may be called so. */
const RESERVED: readonly string[] = (
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for ' +
  'function if implements import in instanceof interface let new null package private protected public return static super switch ' +
  'this throw true try typeof var void while with yield'
).split(' ');

/** Makes names that occur nowhere in the source. */
export class Names {
  readonly #taken: Set<string>;
  /** By base, the number of the last name that was made of it. */
  readonly #last: Map<string, number> = new Map();
  readonly #shared: Map<string, string> = new Map();
  /** A name for something local to one function, which every function may use. */
  local(base: string): string {
    let name = this.#shared.get(base);
    if (!name) this.#shared.set(base, (name = this.fresh(base)));
    return name;
  }
  constructor(taken: ReadonlySet<string>) {
    this.#taken = new Set([...taken, ...RESERVED]);
  }
  /** The same, always with a number behind it: by that, stacks tell what the compiler made of a function from the function. */
  numbered(base: string): string {
    this.#taken.add(base);
    return this.fresh(base);
  }
  fresh(base: string): string {
    let name = base,
      n = this.#last.get(base) ?? 0;
    while (this.#taken.has(name)) name = `${base}$${++n}`;
    this.#last.set(base, n);
    this.#taken.add(name);
    return name;
  }
}

export interface StorageOptions {
  /** Continuations are to be saved. */
  isSaved?: boolean;
  servletModules?: readonly string[] | undefined;
}

/** Decides which functions become resumable, and where each of their variables lives. */
export function assignStorage(analysis: Analysis, names: Names, options: StorageOptions = {}): void {
  const isNativeFile = hasDirective(analysis.root.node, 'use native');
  for (const fn of analysis.functions) {
    const n = fn.node;
    fn.isResumable =
      n['async'] === true &&
      !n['generator'] &&
      !fn.isDynamic &&
      !isNativeFile &&
      (fn.awaits.length > 0 || fn.returnsValue) &&
      !hasDirective(n['body'], 'use native');
    if (fn.isResumable) placeVariables(fn, names, options);
  }
  if (options.isSaved) openScopes(analysis, names);
}

function placeVariables(fn: FunctionInfo, names: Names, options: StorageOptions): void {
  const taken = new Set<string>();
  for (const scope of fn.scopes)
    for (const v of scope.variables.values()) if (v.kind === 'self' && v.refs.length) taken.add(v.name);
  fn.awaits.sort((a, b) => a - b);
  for (const scope of fn.scopes) {
    const isOwn = scope === fn.scope;
    if (
      !isOwn &&
      scope !== fn.bodyScope &&
      !(scope.node.$awaits && !scope.node.type.startsWith('Class') && !scope.node.type.startsWith('Function'))
    )
      continue;
    for (const v of scope.variables.values()) {
      v.isHoisted = true;
      // `let` may name a sloppy var, but not what the activation declares.
      if (
        v.name !== 'let' &&
        ((isOwn && !fn.isBlockFunctionName(v)) ||
          (!taken.has(v.name) && !fn.through.has(v.name) && !fn.isBlockFunctionName(v)))
      )
        taken.add(v.name);
      else v.emitName = names.fresh(v.name);
      place(v, scope, fn, options);
      if (v.isPerIteration) v.closureName = names.fresh(v.name);
    }
  }
}

function place(
  v: Variable,
  scope: Scope,
  fn: FunctionInfo,
  { isSaved = false, servletModules = SERVLET_MODULES }: StorageOptions,
): void {
  const writes = v.refs.filter((r) => r.isWrite),
    captures = v.refs.filter((r) => r.closure);
  const declaredAt = declaredAtOf(v);
  const isForHead = scope.node.type === 'ForStatement';
  const loops = scope.loop !== null;
  if (hasDeadZone(v) || (v.kind === 'param' && !hasSimpleParams(fn.node)))
    v.needsCheck = v.refs.some((r) => !r.isInit && mayRunEarly(r, v, declaredAt));
  v.isBoxed = isSaved
    ? isUnsettled(v, servletModules)
    : captures.length > 0 &&
      writes.some(
        (w) =>
          w.closure !== null ||
          captures.some((c) => !isPageMaker(c.closure!, servletModules) && !isSettled(w, c, v, loops, fn)),
      );
  v.isPerIteration = captures.length > 0 && (loops || (isForHead && v.isBoxed));
  v.isBoxedEarly =
    v.isBoxed &&
    !(
      v.declaration?.type === 'VariableDeclarator' &&
      !v.needsCheck &&
      v.refs.every((r) => r.isInit || (r.closure ? r.closureStart : r.node.start) >= declaredAt)
    );
}

export const hasDeadZone = (v: Variable): boolean =>
  v.kind === 'let' || v.kind === 'const' || v.kind === 'class' || v.kind === 'using';

/** Where the variable's declarations have run; -1 if it has none. */
export function declaredAtOf(v: Variable): number {
  return v.refs.reduce((end, r) => (r.isWrite && r.isInit ? Math.max(end, r.end) : end), -1);
}

/**
 * A closure that is made with the variable's present value could miss another one, or meet none. What makes a page is not
 * there any more when another one is assigned.
 */
export function isUnsettled(v: Variable, servletModules: readonly string[] = SERVLET_MODULES): boolean {
  const writes = v.refs.filter((r) => r.isWrite),
    captures = v.refs.filter((r) => r.closure);
  return (
    captures.length > 0 &&
    ((v.needsCheck && v.scope.node.type === 'SwitchStatement') ||
      writes.some(
        (w) =>
          w.closure !== null ||
          captures.some((c) => !isBefore(w, c, v) && (w.isInit || !isPageMaker(c.closure!, servletModules))),
      ))
  );
}

function isBefore(w: Ref, c: Ref, v: Variable): boolean {
  if (shareLoop(w.loop, c.closureLoop, v.scope.loop)) return false;
  // Functions that are declared in one block are made one after the other, where it begins.
  const isHoisted = v.kind === 'function' && w.isInit && c.closure!.type === 'FunctionDeclaration';
  return isHoisted ? w.end < c.closureStart : w.end <= c.closureStart;
}

/** The write has certainly happened, for good, when the closure is made; or no capture can come between the two. */
function isSettled(w: Ref, c: Ref, v: Variable, loops: boolean, fn: FunctionInfo): boolean {
  if (shareLoop(w.loop, c.closureLoop, v.scope.loop)) return false;
  if (w.end <= c.closureStart && !(v.kind === 'function' && loops)) return true;
  return w.isInit && !loops && !fn.awaits.some((at) => at > c.closureStart && at <= w.end);
}

function shareLoop(a: Loop | null, b: Loop | null, outside: Loop | null): boolean {
  for (let x = a; x && x !== outside; x = x.outer)
    for (let y = b; y && y !== outside; y = y.outer) if (x === y) return true;
  return false;
}

/** The reference could be evaluated before the declaration (the temporal dead zone). */
export function mayRunEarly(r: Ref, v: Variable, declaredAt: number): boolean {
  const start = r.closure ? r.closureStart : r.node.start;
  if (v.scope.node.type === 'SwitchStatement') {
    const own = v.scope.node['cases'].find(
      (k: { start: number; end: number }) => k.start < declaredAt && declaredAt <= k.end,
    );
    if (!own || r.node.start < own.start || r.node.start >= own.end) return true;
  }
  if (start >= declaredAt) return false;
  // `const f = () => f()`: the closure is the value, so it cannot run before the variable has it.
  return !(
    r.closure &&
    v.declaration?.type === 'VariableDeclarator' &&
    v.declaration['init'] === r.closure &&
    v.declaration['id'].type === 'Identifier'
  );
}

/** Every parameter is a plain name. */
export const hasSimpleParams = (n: Node): boolean => n['params'].every((p: Node) => p.type === 'Identifier');
