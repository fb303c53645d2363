import { assign, breakTo, id, isAnonymous, nameless, node, statement, type Node } from './ast.ts';
import type { FunctionInfo } from './scope.ts';
import { Variable } from './scope.ts';
import type { Names } from './storage.ts';

/** The identifiers that emitted code uses for its own business, unique within the module. */
export interface Vocabulary {
  runtime: string;
  frame: string;
  pc: string;
  at: string;
  promise: string;
  error: string;
  saved: string;
  meta: string;
  metas: string;
  /** The module's own record, and the function that makes it. */
  module: string;
  moduleOf: string;
}

/** A place that `break`, `continue` or `return` may have to pass or to reach. */
export interface Target {
  kind: 'loop' | 'switch' | 'label' | 'finally';
  /** Labels the author gave it. */
  labels: string[];
  /** Left in its native form: jumps to it stay as they are. */
  isNative: boolean;
  breakLabel?: string;
  /** `continue` is a break out of a labelled body, where an await must run before the next round. */
  continueLabel?: string;
  /** Loops whose `continue` needs a body of its own. */
  hasOwnContinue?: boolean;
  /** What leaving the loop for good must do first: close its iterator. */
  close?: (lowering: Lowering) => void;
  /** For `finally`: the ways out, numbered from 3. */
  exits?: Node[];
  completion?: Completion;
}

export interface Completion {
  kind: Variable;
  value: Variable;
  label: string;
}

/**
 * The state of lowering one function: what was emitted so far, and what surrounds the current point.
 *
 * Lowered code is ESTree with three more statements: `AwaitStep {target, argument, source}`, where an await is the only thing
 * that happens; `TryStep {block, handler, guard}`, whose handler holds no await; and `CaseStep {selector, lists}`, a switch by number.
 */
export class Lowering {
  readonly fn: FunctionInfo;
  readonly names: Names;
  readonly words: Vocabulary;
  out: Node[] = [];
  targets: Target[] = [];
  /** Native try statements around the current point. */
  tryDepth = 0;
  readonly temps: Variable[] = [];
  #inUse = 0;
  /** Continuations are to be saved: what has no need to be in a frame is looked up late. */
  readonly isSaved: boolean;
  constructor(fn: FunctionInfo, names: Names, words: Vocabulary, isSaved: boolean) {
    this.isSaved = isSaved;
    this.fn = fn;
    this.names = names;
    this.words = words;
  }
  emit(...statements: Node[]): void {
    this.out.push(...statements);
  }
  /** The temporary must not give its name to a function. */
  set(variable: Variable, value: Node): void {
    this.emit(statement(assign(this.ref(variable), isAnonymous(value) ? nameless(value) : value)));
  }
  /** Collects what `body` emits into a list of its own. */
  collect(body: () => void): Node[] {
    const outer = this.out,
      list: Node[] = (this.out = []);
    try {
      body();
    } finally {
      this.out = outer;
    }
    return list;
  }
  within<T>(target: Target, body: () => T): T {
    this.targets.push(target);
    try {
      return body();
    } finally {
      this.targets.pop();
    }
  }
  /** A temporary, free again when the innermost `scoped` ends. */
  temp(): Variable {
    let variable = this.temps[this.#inUse++];
    if (!variable) {
      variable = new Variable(`$${this.#inUse}`, 'temp', this.fn.scope);
      variable.emitName = this.names.local(`$${this.#inUse}`);
      variable.isHoisted = true;
      this.temps.push(variable);
    }
    return variable;
  }
  scoped<T>(body: () => T): T {
    const mark = this.#inUse;
    try {
      return body();
    } finally {
      this.#inUse = mark;
    }
  }
  ref(variable: Variable, isWrite = false): Node {
    const n = id(variable.emitName);
    n.$ref = {
      node: n,
      variable,
      scope: this.fn.scope,
      loop: null,
      isWrite,
      isInit: false,
      end: 0,
      closure: null,
      closureStart: 0,
      closureLoop: null,
    };
    return n;
  }
  /** The value in a temporary, unless it is one already or cannot change. */
  settle(value: Node): Node {
    if (isStable(value) || (this.isSaved && isFoundLate(value))) return value;
    const t = this.temp();
    this.set(t, value);
    return this.ref(t);
  }
  runtime(name: string): Node {
    return node('MemberExpression', {
      object: id(this.words.runtime),
      property: id(name),
      computed: false,
      optional: false,
    });
  }
  label(): string {
    return this.names.fresh('$L');
  }
  /** Code for the native catch clause: completion := thrown. */
  caught(completion: Completion): Node[] {
    return [
      statement(assign(this.ref(completion.kind), node('Literal', { value: 1, raw: '1' }))),
      statement(assign(this.ref(completion.value), id(this.words.error))),
    ];
  }
  breakTo(label: string): void {
    this.emit(breakTo(label));
  }
}

/** Evaluating it later, after an await, gives the same value and nobody notices. */
function isStable(n: Node): boolean {
  if (n.type === 'Literal') return !n['regex'];
  if (n.type === 'ArrowFunctionExpression' || n.type === 'FunctionExpression' || n.type === 'ThisExpression')
    return true;
  if (n.type !== 'Identifier') return false;
  const v = n.$ref?.variable;
  if (!v || v.kind === 'temp' || v.needsCheck || v.isBoxed) return v?.kind === 'temp';
  return (
    v.kind === 'import' ||
    ((v.kind === 'param' || v.kind === 'const' || v.kind === 'function') &&
      v.refs.every((r) => !r.isWrite || r.isInit) &&
      v.scope.fn === n.$ref!.scope.fn &&
      v.isHoisted)
  );
}

/**
 * It is the same after an await, and stands outside of the frame: a global, something of the module that is never reassigned, what a
 * closure captured.
 */
function isFoundLate(n: Node): boolean {
  if (n.type !== 'Identifier') return false;
  const v = n.$ref?.variable;
  if (!v) return n.$ref !== undefined;
  if (v.kind === 'this' || v.kind === 'arguments' || v.kind === 'self') return true;
  const isOutside = v.scope.fn !== n.$ref!.scope.fn || v.scope.fn.parent === null;
  return isOutside && !v.isBoxed && !v.needsCheck && v.refs.every((r) => !r.isWrite || r.isInit);
}
