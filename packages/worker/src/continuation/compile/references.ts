import {
  arrow,
  assign,
  binary,
  changed,
  id,
  isAnonymous,
  lit,
  member,
  named,
  placed,
  sequence,
  type Node,
} from './ast.ts';
import type { Emitter } from './emit.ts';
import { spell } from './lifting.ts';
import type { Variable } from './scope.ts';
import { box } from './statements.ts';

function slotOf(n: Node): Node {
  const v = n.$ref!.variable!,
    name = v.isPerIteration && n.$ref!.closure ? v.closureName : v.emitName;
  return n['name'] === name ? n : id(name, n);
}
const isSpelled = (v: Variable): boolean => v.kind === 'this' || v.kind === 'arguments' || v.kind === 'self';

/** Assigning to it is an error; so it is to a function's own name, which is another variable's where its body stands apart. */
function isFixed(e: Emitter, v: Variable): boolean {
  return v.kind === 'const' || v.kind === 'using' || (v.kind === 'self' && e.fn.isStrict);
}

function placeOf(n: Node): Node {
  const slot = slotOf(n);
  return n.$ref!.variable!.isBoxed ? member(slot, 'v') : slot;
}
/** A variable where its value is wanted. */
export function read(e: Emitter, n: Node): Node {
  const v = n.$ref!.variable;
  if (!v) return n;
  if (isSpelled(v)) return id(spell(v, e.fn), n);
  if (!v.isOurs) return n;
  if (n['$raw']) return id(v.emitName, n);
  return v.needsCheck ? checkedRead(e, n, v) : placeOf(n);
}

function checkedRead(e: Emitter, n: Node, v: Variable): Node {
  return placed(e.runtime('checked', placeOf(n), lit(v.name)), n);
}

/** An assignment, to a name or into a pattern. */
export function assignment(e: Emitter, n: Node): Node {
  const left = n['left'] as Node,
    operator = n['operator'] as string;
  if (left.type !== 'Identifier') return changed(n, { left: pattern(e, left), right: e.map(n['right']) });
  const v = left.$ref?.variable;
  if (!v || !(v.isOurs || isFixed(e, v))) return changed(n, { right: e.map(n['right'], left['name']) });
  if (left['$raw']) return { ...n, left: read(e, left), right: e.map(n['right']) };
  const isInit = left.$ref!.isInit,
    right = namedValue(e, n['right'], v.name, placeOf(left)),
    isLogical = operator.length === 3 && /^(&&|\|\||\?\?)/.test(operator);
  if (isFixed(e, v) && !isInit) {
    const attempt = e.runtime('constant', right, lit(v.name));
    if (operator === '=') return attempt;
    return isLogical ? binary(operator.slice(0, -1), read(e, left), attempt, n) : sequence([read(e, left), attempt]);
  }
  if (isInit && v.isBoxed && !v.isBoxedEarly) return { ...n, left: slotOf(left), right: box(right) };
  if (v.needsCheck && !isInit) {
    if (operator !== '=') return sequence([checkedRead(e, left, v), { ...n, left: placeOf(left), right }]);
    return { ...n, left: placeOf(left), right: e.runtime('writable', right, placeOf(left), lit(v.name)) };
  }
  return { ...n, left: placeOf(left), right };
}

/** The right side of a named assignment: an anonymous function keeps the author's name for the variable. */
function namedValue(e: Emitter, right: Node, name: string, place: Node): Node {
  if (!isAnonymous(right)) return e.map(right, name);
  const mapped = e.map(right, name);
  return isAnonymous(mapped) && !(place.type === 'Identifier' && place['name'] === name) ? named(mapped, name) : mapped;
}

/** `x++` and its like. */
export function update(e: Emitter, n: Node): Node {
  const argument = n['argument'] as Node;
  if (argument.type !== 'Identifier') return changed(n, { argument: e.map(argument) });
  const v = argument.$ref?.variable;
  if (!v || !(v.isOurs || isFixed(e, v))) return n;
  if (isFixed(e, v)) return e.runtime('constant', read(e, argument), lit(v.name));
  const updated = { ...n, argument: placeOf(argument) };
  return v.needsCheck ? sequence([checkedRead(e, argument, v), updated]) : updated;
}

/** What stands where something is assigned to. */
export function pattern(e: Emitter, n: Node | null): Node {
  if (!n) return n as unknown as Node;
  switch (n.type) {
    case 'Identifier':
      return target(e, n);
    case 'ObjectPattern':
      return changed(n, {
        properties: (n['properties'] as Node[]).map((p) =>
          p.type === 'RestElement'
            ? changed(p, { argument: pattern(e, p['argument']) })
            : changed(p, {
                key: p['computed'] ? e.map(p['key']) : p['key'],
                value: pattern(e, p['value']),
                shorthand: p['shorthand'] && keepsName(e, p['value']),
              }),
        ),
      });
    case 'ArrayPattern':
      return changed(n, { elements: (n['elements'] as (Node | null)[]).map((each) => each && pattern(e, each)) });
    case 'AssignmentPattern': {
      const left = pattern(e, n['left']);
      return changed(n, {
        left,
        right:
          n['left'].type === 'Identifier'
            ? namedValue(e, n['right'], n['left'].$ref?.variable?.name ?? n['left'].name, left)
            : e.map(n['right']),
      });
    }
    case 'RestElement':
      return changed(n, { argument: pattern(e, n['argument']) });
    default:
      return e.map(n);
  }
}

function keepsName(e: Emitter, n: Node): boolean {
  const name = n.type === 'AssignmentPattern' ? (n['left'] as Node) : n,
    mapped = target(e, name);
  return mapped.type === 'Identifier' && mapped['name'] === name['name'];
}

function target(e: Emitter, n: Node): Node {
  const v = n.$ref?.variable;
  if (!v || !(v.isOurs || isFixed(e, v))) return n;
  if (n['$raw']) return read(e, n);
  if (isFixed(e, v) && !n.$ref!.isInit) return member(e.runtime('constantTarget', lit(v.name)), 'v');
  if (v.needsCheck && !n.$ref!.isInit) {
    const value = id('value');
    return member(
      e.runtime('checkedTarget', arrow([], placeOf(n)), arrow([value], assign(placeOf(n), value)), lit(v.name)),
      'v',
    );
  }
  return placeOf(n);
}
