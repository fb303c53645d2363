import type { CompiledFunction } from './functions.ts';
import type { Node } from './ast.ts';

/** A loop of the function around it; loops of one function form a chain. */
export interface Loop {
  node: Node;
  outer: Loop | null;
}

export type VariableKind =
  | 'var'
  | 'let'
  | 'const'
  | 'using'
  | 'class'
  | 'function'
  | 'param'
  | 'catch'
  | 'self'
  | 'import'
  | 'arguments'
  | 'this'
  | 'temp';

export class Variable {
  readonly name: string;
  kind: VariableKind;
  readonly scope: Scope;
  readonly refs: Ref[] = [];
  /** Lives in the activation (saved by a capture), not in a native scope. */
  isHoisted = false;
  /** Lives in the block where it was declared, in a form of the compiler's; what is emitted begins the block with it. */
  isOpened = false;
  /** Lives in a box `{v}` which closures and resumptions share. */
  isBoxed = false;
  /** The box is made where the block begins, because something refers to the variable before its declaration. */
  isBoxedEarly = false;
  /** References must check that the declaration has run. */
  needsCheck = false;
  /** Closures share it, and it cannot be put into a box; so they cannot be saved. */
  isUnboxable = false;
  /** Has a fresh value per iteration: closures get it passed by value. */
  isPerIteration = false;
  /** The name in the emitted code; closures of a per-iteration variable use `closureName`. */
  emitName: string;
  closureName = '';
  /** Where a function declaration, or the declaration of anything else, gives the variable its first value. */
  declaration: Node | null = null;
  /** Position in the frame layout of its function, for liveness. */
  slot = -1;
  /** References to it are rewritten. */
  get isOurs(): boolean {
    return this.isHoisted || this.isOpened;
  }
  constructor(name: string, kind: VariableKind, scope: Scope) {
    this.name = this.emitName = name;
    this.kind = kind;
    this.scope = scope;
  }
}

export interface Ref {
  node: Node;
  variable: Variable | null;
  scope: Scope;
  /** The loops around the reference, within its function. */
  loop: Loop | null;
  isWrite: boolean;
  /** The write is the variable's own declaration. */
  isInit: boolean;
  /** Where the written value is in place. */
  end: number;
  /** The function or class of the variable's own function through which the reference captures it; null if it does not. */
  closure: Node | null;
  /** Where, and in which loops, that closure is made. */
  closureStart: number;
  closureLoop: Loop | null;
}

export class Scope {
  readonly node: Node;
  readonly parent: Scope | null;
  readonly fn: FunctionInfo;
  readonly loop: Loop | null;
  readonly variables: Map<string, Variable> = new Map();
  readonly isFunctionScope: boolean;
  constructor(n: Node, parent: Scope | null, fn: FunctionInfo, loop: Loop | null, isFunctionScope: boolean) {
    this.node = n;
    this.parent = parent;
    this.fn = fn;
    this.loop = loop;
    this.isFunctionScope = isFunctionScope;
    fn.scopes.push(this);
  }
  declare(name: string, kind: VariableKind, declaration: Node | null): Variable {
    let variable = this.variables.get(name);
    if (!variable) this.variables.set(name, (variable = new Variable(name, kind, this)));
    else if (kind === 'function') variable.kind = variable.kind === 'param' ? 'param' : 'function';
    variable.declaration ??= declaration;
    return variable;
  }
  lookup(name: string): Variable | null {
    for (let scope: Scope | null = this; scope; scope = scope.parent) {
      const found = scope.variables.get(name);
      if (found) return found;
    }
    return null;
  }
}

/** What the passes know about one function (or the program itself, or a piece of class body that runs like a method). */
export class FunctionInfo {
  readonly node: Node;
  readonly parent: FunctionInfo | null;
  /** The expression to wrap when the closure must get variables by value: the function, or the class or object it is a method of. */
  readonly closure: Node;
  /** Loops of the parent around the place where the closure is made. */
  readonly loop: Loop | null;
  readonly isStrict: boolean;
  readonly awaits: number[] = [];
  usesThis = false;
  usesArguments = false;
  /** Direct eval or `with`: names cannot be resolved, so it and what is around it stays native. */
  isDynamic = false;
  /** It returns something that may be a promise. */
  returnsValue = false;
  /** Compiled into a resumable function. */
  isResumable = false;
  /** A `function` declared in a block of sloppy code is also a `var`: declaration -> variable. */
  readonly blockFunctions: Map<Node, Variable> = new Map();
  /** Names that the function, or one inside it, takes from outside. */
  readonly through: Set<string> = new Set();
  /** Variables of functions around it that it uses, or that one inside it does. */
  readonly captures: Set<Variable> = new Set();
  readonly scopes: Scope[] = [];
  scope!: Scope;
  /** What the body declares, where it has a scope of its own beside the parameters. */
  bodyScope: Scope | null = null;
  /** `super` or `new.target` occurs in it, or in an arrow function inside. */
  usesSuper = false;
  /** Its resumable body stands beside it, and takes all that it needs as parameters. */
  isBodyApart = false;
  /** What the transform made of a resumable function. */
  compiled?: CompiledFunction;
  isBlockFunctionName(v: Variable): boolean {
    for (const x of this.blockFunctions.values()) if (x === v) return true;
    return false;
  }
  constructor(n: Node, parent: FunctionInfo | null, closure: Node, loop: Loop | null, isStrict: boolean) {
    this.node = n;
    this.parent = parent;
    this.closure = closure;
    this.loop = loop;
    this.isStrict = isStrict;
  }
}
