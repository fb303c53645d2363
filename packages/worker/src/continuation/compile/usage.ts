import type { Node } from './ast.ts';
import type { FunctionInfo } from './scope.ts';

/** The function, and if it is an arrow function those around it up to the one whose `this` and `arguments` it has. */
function* sharing(fn: FunctionInfo): Generator<FunctionInfo> {
  for (let f: FunctionInfo | null = fn; f; f = f.parent) {
    yield f;
    if (f.node.type !== 'ArrowFunctionExpression') return;
  }
}

/** `this` occurs in the function. */
export function useThis(fn: FunctionInfo): void {
  for (const f of sharing(fn)) f.usesThis = true;
}

/** `super` or `new.target` does. */
export function useSuper(fn: FunctionInfo): void {
  for (const f of sharing(fn)) f.usesThis = f.usesSuper = true;
}

/** `arguments` does, and nobody has declared it. */
export function useArguments(fn: FunctionInfo): void {
  for (const f of sharing(fn)) f.usesArguments = true;
}

/** A private name does, which can be seen only inside of its class. */
export function usePrivate(name: string, fn: FunctionInfo): void {
  for (let f: FunctionInfo | null = fn; f; f = f.parent) {
    const owner = f.node['$class'] as Node | undefined;
    if (owner && declaresPrivate(owner, name)) return;
    (owner ?? f.node)['$usesPrivate'] = true;
  }
}

/** The class has a member of that private name. */
export function declaresPrivate(owner: Node, name: string): boolean {
  return (owner['body'].body as Node[]).some((m) => m['key']?.type === 'PrivateIdentifier' && m['key'].name === name);
}
