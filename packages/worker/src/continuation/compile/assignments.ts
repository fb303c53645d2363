import { assign, binary, call, ifThen, statement, type Node } from './ast.ts';
import { continues, lower, lowerMember } from './expressions.ts';
import type { Lowering } from './lowering.ts';
import { lowerPattern } from './patterns.ts';

/** An assignment, to a name, a place or a pattern: its place is settled before its value. */
export function lowerAssignment(L: Lowering, n: Node): Node {
  const left = n['left'] as Node,
    operator = n['operator'] as string;
  if (left.type === 'ObjectPattern' || left.type === 'ArrayPattern') {
    if (!left.$awaits) return { ...n, right: lower(L, n['right']) };
    const value = L.settle(lower(L, n['right']));
    lowerPattern(L, left, value, false);
    return value;
  }
  const isLogical = operator === '&&=' || operator === '||=' || operator === '??=';
  if (left.type === 'Identifier') {
    if (operator === '=') return { ...n, right: lower(L, n['right']) };
    const t = L.temp();
    L.set(t, read(left));
    if (!isLogical) return assign(left, binary(operator.slice(0, -1), L.ref(t), lower(L, n['right']), n), '=', n);
    L.emit(
      ifThen(
        continues(operator, L.ref(t), L.ref(t)),
        L.collect(() => {
          L.set(t, lower(L, n['right']));
          L.emit(statement(assign(left, L.ref(t), '=', n)));
        }),
      ),
    );
    return L.ref(t);
  }
  const target = lowerMember(L, left, n['right'].$awaits === true || operator !== '=');
  if (operator === '=') return { ...n, left: target, right: lower(L, n['right']) };
  if (target['computed'] && target['property'].type !== 'Literal') {
    target['property'] = L.settle(
      call(L.runtime('keyOf'), [target['property'], ...(target['object'].type === 'Super' ? [] : [target['object']])]),
    );
  }
  const t = L.temp();
  L.set(t, { ...target });
  if (!isLogical) return assign(target, binary(operator.slice(0, -1), L.ref(t), lower(L, n['right']), n), '=', n);
  L.emit(
    ifThen(
      continues(operator, L.ref(t), L.ref(t)),
      L.collect(() => {
        L.set(t, lower(L, n['right']));
        L.emit(statement(assign(target, L.ref(t), '=', n)));
      }),
    ),
  );
  return L.ref(t);
}

/** The same identifier, read instead of written. */
function read(n: Node): Node {
  const copy: Node = { ...n };
  if (n.$ref) copy.$ref = { ...n.$ref, node: copy, isWrite: false };
  return copy;
}
