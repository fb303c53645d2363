import type { Analysis } from './analyse.ts';
import { children, isClass, type Node } from './ast.ts';
import type { FunctionInfo, Variable } from './scope.ts';
import { declaresPrivate } from './usage.ts';
import type { Names } from './storage.ts';

/** How a function or class of the source is named in saved continuations, and made again from them. */
export interface CodeUse {
  /** Its place among all functions and classes of the module. */
  code: number;
  /**
   * - `declared`: at the top level, under its own name.
   * - `once`: an expression of the top level, evaluated at most once.
   * - `closure`: made any number of times, by a maker that takes what it captures.
   * - `method`: it comes and goes with its class.
   * - `native`: left as it is; it cannot be saved.
   */
  kind: 'declared' | 'once' | 'closure' | 'method' | 'native';
  /** Why it is native: the end of a sentence that begins with the value. */
  why: string | null;
  /** What it uses of functions, blocks and classes around it: what its maker takes, before the heritage and computed keys of a class. */
  captures: Variable[];
  maker: string;
  /** The class in whose body the maker must stand, because only there private names can be seen. */
  home: Node | null;
  /** Of a class: makers and bodies that stand in it. */
  inside: Node[];
  /** The emitted variable that holds the value, where its body must know it. */
  keeper: string;
}

/** Decides of every function and class how it is emitted so that it can be saved. */
export function lift(analysis: Analysis, names: Names): void {
  for (const [code, n] of analysis.closures.entries()) {
    const [kind, why] = kindOf(n, analysis.root),
      use: CodeUse = { code, kind, why, captures: [], maker: '', keeper: '', home: null, inside: [] };
    n.$use = use;
    if (n['$usesPrivate'] && kind !== 'method') use.home = homeOf(n);
    if (kind === 'closure' || kind === 'once') use.captures = capturesOf(n, analysis.root);
    if (kind === 'closure') use.maker = names.fresh('$c');
    if (kind === 'closure' || kind === 'once') use.keeper = names.fresh('$k');
    const fn = n.$fn;
    if (fn?.isResumable) fn.isBodyApart = kind !== 'native' && !isTied(n);
  }
  for (const fn of analysis.functions) nameOwn(fn, names);
}

function kindOf(n: Node, root: FunctionInfo): [CodeUse['kind'], string | null] {
  if (n['$class']) {
    const { why } = n['$class'].$use as CodeUse;
    return ['method', why && why.replace(/^is /, 'is a method of ')];
  }
  const { scope, fn, loop } = n.$within!;
  if (scope === root.scope && (n.type === 'FunctionDeclaration' || n.type === 'ClassDeclaration') && n['id'])
    return ['declared', null];
  // Where eval can see it, a declaration stays what it is.
  if (n.type === 'FunctionDeclaration' && n['id'] && !isMovable(n['id'].$ref.variable))
    return ['native', 'is a function that is declared where eval is called'];
  if (n['$isObjectMethod'] && n.$fn!.usesSuper) return ['native', SUPER];
  if (loop === null && isOnce(fn)) return ['once', null];
  const home = n['$usesPrivate'] ? homeOf(n) : null;
  if (home && home.$use!.kind !== 'declared' && home.$use!.kind !== 'once')
    return ['native', 'is a function that uses private names of a class which is declared inside a function'];
  const why = isClass(n) ? whyNoClass(n) : whyNoFunction(n);
  return [why === null ? 'closure' : 'native', why];
}

/** A function declaration of that variable can be made by an assignment. */
export const isMovable = (v: Variable | null): boolean => v !== null && (v.isOurs || v.kind === 'param');

/** The innermost class around. */
function homeOf(n: Node): Node | null {
  for (let fn: FunctionInfo | null = n.$within!.fn; fn; fn = fn.parent) if (fn.node['$class']) return fn.node['$class'];
  return null;
}

/** The code of the function, which may be a piece of a class, runs once at most. */
function isOnce(fn: FunctionInfo): boolean {
  if (fn.parent === null) return true;
  const piece = fn.node,
    isStatic = piece.type === 'StaticBlock' || (piece.type === 'PropertyDefinition' && piece['static'] === true);
  return isStatic && piece['$class'].$within.loop === null && isOnce(piece['$class'].$within.fn);
}

function whyNoFunction(n: Node): string | null {
  const fn = n.$fn!;
  if (fn.isDynamic) return 'is a function that calls eval';
  if (fn.usesSuper && n.type === 'ArrowFunctionExpression') return SUPER;
  return whyNoCapture(fn.captures);
}

const SUPER = 'is a function that uses super, or new.target, of what is around it';

function whyNoCapture(captures: ReadonlySet<Variable>): string | null {
  for (const v of captures) {
    if (v.isUnboxable || v.scope.fn.isDynamic)
      return `is a function that captures ${v.name}, which other code can change unseen`;
    if (v.kind === 'this' && isDerivedConstructor(v.scope.fn.node))
      return 'is a function that captures the this of a constructor which calls super';
  }
  return null;
}

const isDerivedConstructor = (n: Node): boolean => n['$class']?.['superClass'] != null && n['$isConstructor'] === true;

function whyNoClass(n: Node): string | null {
  for (const m of n['body'].body as Node[]) {
    if (m.type === 'StaticBlock' || (m.type === 'PropertyDefinition' && m['static'] && m['value']))
      return 'is a class with static fields that is declared inside a function: declare it at the top level';
    if (m['computed'] && (mentionsSelf(m['key'], n) || yields(m['key']))) return CLASS_IN_ITSELF;
  }
  if (n['superClass'] && (mentionsSelf(n['superClass'], n) || yields(n['superClass']))) return CLASS_IN_ITSELF;
  return whyNoCapture(n.$captures ?? new Set());
}
const CLASS_IN_ITSELF = 'is a class whose heritage or keys are computed from itself';

function mentionsSelf(n: Node, of: Node): boolean {
  if (n.type === 'Identifier' && n.$ref?.variable?.kind === 'self' && n.$ref.variable.declaration === of) return true;
  if (n.type === 'PrivateIdentifier' && declaresPrivate(of, n['name'])) return true;
  return children(n).some((child) => mentionsSelf(child, of));
}
function yields(n: Node): boolean {
  return n.type === 'YieldExpression' || (!n.type.includes('Function') && children(n).some(yields));
}

/** What lives in functions around it; what lives at the top level is there by its name. */
function capturesOf(n: Node, root: FunctionInfo): Variable[] {
  const all = isClass(n) ? (n.$captures ?? []) : n.$fn!.captures;
  return [...all].filter((v) => v.scope !== root.scope && !(v.kind === 'self' && v.declaration === n));
}

/** The body must stay inside the function, because only there means `super` what it says. */
const isTied = (n: Node): boolean => n.$fn!.usesSuper || n.$fn!.isDynamic || n['$class']?.$use.kind === 'native';

/** In a body that stands apart, and in closures, `this`, `arguments` and the function's own name are variables like others. */
function nameOwn(fn: FunctionInfo, names: Names): void {
  for (const v of fn.scope.variables.values()) {
    if (v.kind !== 'this' && v.kind !== 'arguments') continue;
    v.emitName = names.local(`$${v.kind}`);
    v.isHoisted = fn.isBodyApart;
  }
  if (!fn.isBodyApart) return;
  const n = fn.node,
    self = n['id'] && fn.scope.parent!.node === n ? fn.scope.parent!.variables.get(n['id'].name) : undefined;
  if (self?.kind === 'self' && self.refs.length > 0) self.emitName = n.$use!.keeper;
}

/** What a variable is called in the code of `fn`. */
export function spell(v: Variable, fn: FunctionInfo): string {
  if (v.kind === 'this' || v.kind === 'arguments') return isNativeThere(v, fn) ? v.name : v.emitName;
  return v.isPerIteration && fn !== v.scope.fn ? v.closureName : v.emitName;
}

/** `this` (or `arguments`) means in `fn` what it does in the function that has it. */
function isNativeThere(v: Variable, fn: FunctionInfo): boolean {
  for (let f = fn; f !== v.scope.fn; f = f.parent!) if (f.node.$use?.kind === 'closure') return false;
  return !v.scope.fn.isBodyApart;
}
