import type { Analysis } from './analyse.ts';
import type { FunctionInfo, Scope, Variable } from './scope.ts';
import { declaredAtOf, hasDeadZone, hasSimpleParams, isUnsettled, mayRunEarly, type Names } from './storage.ts';

/**
 * Variables that are left in their own blocks, since no suspension meets them, but that closures share with other code: these get
 * boxes too, so that closures can be made from what they capture. Their blocks begin with a declaration of the compiler's,
 * and the author's own becomes an assignment.
 */
export function openScopes(analysis: Analysis, names: Names): void {
  for (const fn of [analysis.root, ...analysis.functions])
    for (const scope of fn.scopes) if (scope !== analysis.root.scope) openScope(scope, fn, names);
}

function openScope(scope: Scope, fn: FunctionInfo, names: Names): void {
  const left = [...scope.variables.values()].filter(
    (v) => !v.isHoisted && v.kind !== 'self' && v.kind !== 'this' && v.kind !== 'arguments' && v.kind !== 'using',
  );
  for (const v of left) {
    if (hasDeadZone(v)) v.needsCheck = v.refs.some((r) => !r.isInit && mayRunEarly(r, v, declaredAtOf(v)));
    if (!isUnsettled(v)) continue;
    if (fn.isDynamic || isTiedToParameters(v, fn)) v.isUnboxable = true;
    else v.isBoxed = v.isBoxedEarly = v.isOpened = true;
  }
  // The others of one declaration, and of one head of a loop, go with it.
  for (const v of left) if (!v.isOpened && goesWithAnother(v, scope)) v.isOpened = true;
  for (const v of left) {
    if (v.kind === 'function' && !fn.isDynamic) v.isOpened = true;
    if (v.isOpened && needsOwnName(v, scope, fn)) v.emitName = names.fresh(v.name);
    else if (!v.isOpened) v.needsCheck = false;
  }
}

/** A closure among the parameters uses it: it is made before the function's body begins. */
function isTiedToParameters(v: Variable, fn: FunctionInfo): boolean {
  const { node } = fn;
  if (v.kind !== 'param' || v.scope !== fn.scope || hasSimpleParams(node)) return false;
  return v.refs.some((r) => r.closure !== null && r.closureStart < node['body'].start);
}

function goesWithAnother(v: Variable, scope: Scope): boolean {
  const others = [...scope.variables.values()].filter((other) => other.isOpened && other.kind !== 'function');
  if (
    scope.node.type === 'ForStatement' ||
    scope.node.type === 'ForOfStatement' ||
    scope.node.type === 'ForInStatement'
  )
    return others.length > 0;
  if (v.kind === 'catch') return others.length > 0;
  if (v.kind === 'var') return others.some((other) => other.kind === 'var');
  return v.kind !== 'param' && others.some((other) => sharesPattern(v, other));
}

function sharesPattern(a: Variable, b: Variable): boolean {
  return a.declaration?.type === 'VariableDeclarator' && a.declaration === b.declaration;
}

/** Its name means something else where the block begins. */
function needsOwnName(v: Variable, scope: Scope, fn: FunctionInfo): boolean {
  if (v.kind === 'param' || v.kind === 'catch' || scope.node.type === 'SwitchStatement') return true;
  if (scope.node.type === 'ForOfStatement' || scope.node.type === 'ForInStatement') return true;
  return scope === fn.bodyScope && fn.scope.variables.has(v.name);
}
