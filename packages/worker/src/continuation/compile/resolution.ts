import type { Node } from './ast.ts';
import type { Cursor } from './declarations.ts';
import type { FunctionInfo, Ref, Variable } from './scope.ts';
import { useArguments } from './usage.ts';

/** The references of a module: noted where they stand, and resolved when all that it declares is known. */
export class References {
  readonly all: Ref[] = [];
  /** Every name that is spoken for. */
  readonly names: Set<string> = new Set();
  readonly #ownsArguments: boolean;

  /** `ownsArguments`: `arguments` counts as a variable of its function. */
  constructor(ownsArguments: boolean) {
    this.#ownsArguments = ownsArguments;
  }

  note(
    n: Node,
    c: Cursor,
    { isWrite = false, isInit = false, end = n.end }: Partial<Pick<Ref, 'isWrite' | 'isInit' | 'end'>> = {},
  ): void {
    this.names.add(n['name']);
    const ref: Ref = {
      node: n,
      variable: null,
      scope: c.scope,
      loop: c.loop,
      isWrite,
      isInit,
      end,
      closure: null,
      closureStart: 0,
      closureLoop: null,
    };
    n.$ref = ref;
    this.all.push(ref);
  }

  resolve(): void {
    for (const ref of this.all) {
      const name = ref.node['name'] as string,
        found = ref.scope.lookup(name),
        // Those that nobody has declared are the innermost function's own, whoever around it has noted some.
        isOwn = name === 'arguments' && (found === null || found.kind === 'arguments'),
        variable = isOwn ? this.#argumentsOf(ref) : found;
      if (variable) refer(ref, variable);
      else {
        for (let f: FunctionInfo | null = ref.scope.fn; f; f = f.parent) f.through.add(name);
        if (name === 'arguments') useArguments(ref.scope.fn);
      }
    }
  }

  #argumentsOf({ scope }: Ref): Variable | null {
    const variable = this.#ownsArguments ? ownVariable(scope.fn, 'arguments') : null;
    if (variable) variable.scope.fn.usesArguments = true;
    return variable;
  }
}

/** Ties a reference to its variable, and notes which closures capture that on the way. */
function refer(ref: Ref, variable: Variable): void {
  ref.variable = variable;
  variable.refs.push(ref);
  let inner: FunctionInfo | null = null;
  for (let f: FunctionInfo | null = ref.scope.fn; f && f !== variable.scope.fn; f = f.parent) {
    (f.closure.$captures ??= new Set()).add(variable);
    f.node.$captures ??= f.closure.$captures;
    f.node.$captures.add(variable);
    f.captures.add(variable);
    f.through.add(variable.name);
    inner = f;
  }
  if (!inner) return;
  ref.closure = inner.closure;
  ref.closureLoop = inner.loop;
  // A function declaration is made where its block begins.
  ref.closureStart =
    inner.node.type === 'FunctionDeclaration' ? (inner.node['id']?.$ref?.end ?? inner.node.start) : inner.closure.start;
}

/** `arguments`, or `this`, of the function around; null at the top level. */
export function ownVariable(fn: FunctionInfo, name: 'arguments' | 'this'): Variable | null {
  for (let f: FunctionInfo | null = fn; f?.parent; f = f.parent)
    if (f.node.type !== 'ArrowFunctionExpression') return f.scope.declare(name, name, null);
  return null;
}
