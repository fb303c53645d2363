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
  if (left.type === 'Identifier') {
    if (operator === '=') return { ...n, right: lower(L, n['right']) };
    return compound(L, n, left, read(left));
  }
  const target = lowerMember(L, left, n['right'].$awaits === true || operator !== '=');
  if (operator === '=') return { ...n, left: target, right: lower(L, n['right']) };
  if (target['computed'] && target['property'].type !== 'Literal') {
    target['property'] = L.settle(
      call(L.runtime('keyOf'), [target['property'], ...(target['object'].type === 'Super' ? [] : [target['object']])]),
    );
  }
  return compound(L, n, target, { ...target });
}

/** An assignment with an operator. `place` is settled; `present`: its value before, which is read before the right side is evaluated. */
function compound(L: Lowering, n: Node, place: Node, present: Node): Node {
  const operator = n['operator'] as string;
  const t = L.temp();
  L.set(t, present);
  const isLogical = operator === '&&=' || operator === '||=' || operator === '??=';
  if (!isLogical) return assign(place, binary(operator.slice(0, -1), L.ref(t), lower(L, n['right']), n), '=', n);
  L.emit(
    ifThen(
      continues(operator, L.ref(t), L.ref(t)),
      L.collect(() => {
        L.set(t, lower(L, n['right']));
        L.emit(statement(assign(place, L.ref(t), '=', n)));
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
