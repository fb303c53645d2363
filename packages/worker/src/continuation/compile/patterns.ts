import {
  array,
  assign,
  binary,
  boundNames,
  call,
  id,
  ifThen,
  index,
  lit,
  member,
  named,
  isAnonymous,
  node,
  statement,
  throwing,
  undef,
  type Node,
} from './ast.ts';
import { lower, lowerMember } from './expressions.ts';
import type { Lowering } from './lowering.ts';
import { box, raw } from './statements.ts';

/** Destructures step by step, because the pattern holds an await. `value` is settled. */
export function lowerPattern(L: Lowering, pattern: Node, value: Node, isBinding: boolean): void {
  if (!pattern.$awaits && (pattern.type === 'ObjectPattern' || pattern.type === 'ArrayPattern')) {
    destructure(L, pattern, value, pattern, isBinding);
    return;
  }
  if (pattern.type === 'ObjectPattern') lowerObjectPattern(L, pattern, value, isBinding);
  else if (pattern.type === 'ArrayPattern') lowerArrayPattern(L, pattern, value, isBinding);
  else L.emit(statement(assign(pattern, value, '=', pattern)));
}

/** Destructures at once. The boxes of what it declares are made now, so that each answer to what came before has its own. */
export function destructure(L: Lowering, pattern: Node, value: Node, from: Node, isBinding: boolean): void {
  if (isBinding && pattern.type !== 'Identifier')
    for (const { $ref } of boundNames(pattern)) {
      const v = $ref?.variable;
      if (v?.isBoxed && !v.isBoxedEarly && $ref!.isInit) L.emit(statement(assign(raw(L, v), box(undef()))));
    }
  L.emit(statement(assign(pattern, value, '=', from)));
}

/** Evaluates the target's own expressions, then returns the step that stores a value there. */
function prepare(L: Lowering, element: Node, isBinding: boolean): (value: Node) => void {
  const target = (element.type === 'AssignmentPattern' ? element['left'] : element) as Node;
  const place = target.type === 'MemberExpression' ? lowerMember(L, target, true) : target;
  return (value) => {
    let v = value;
    if (element.type === 'AssignmentPattern') {
      const t = L.temp();
      L.set(t, value);
      L.emit(
        ifThen(
          binary('===', L.ref(t), undef()),
          L.collect(() => {
            const fallback = lower(L, element['right']);
            L.set(
              t,
              isAnonymous(fallback) && place.type === 'Identifier'
                ? named(fallback, place.$ref?.variable?.name ?? place['name'])
                : fallback,
            );
          }),
        ),
      );
      v = L.ref(t);
    }
    if (place.type === 'ObjectPattern' || place.type === 'ArrayPattern') lowerPattern(L, place, L.settle(v), isBinding);
    else L.emit(statement(assign(place, v, '=', place)));
  };
}

function lowerObjectPattern(L: Lowering, pattern: Node, value: Node, isBinding: boolean): void {
  L.emit(statement(call(L.runtime('requireObject'), [value])));
  const keys: Node[] = [],
    hasRest = pattern['properties'].at(-1)?.type === 'RestElement';
  for (const p of pattern['properties'] as Node[]) {
    if (p.type === 'RestElement') {
      const store = prepare(L, p['argument'], isBinding);
      store(call(L.runtime('restOf'), [value, array(keys)]));
      continue;
    }
    let key = p['key'] as Node;
    if (p['computed']) key = L.settle(call(L.runtime('keyOf'), [lower(L, key)]));
    else if (key.type === 'Identifier') key = lit(key['name']);
    if (hasRest) keys.push(p['computed'] ? key : lit(String(key['value'])));
    const store = prepare(L, p['value'], isBinding);
    store(index(value, key));
  }
}

function lowerArrayPattern(L: Lowering, pattern: Node, value: Node, isBinding: boolean): void {
  const it = L.temp();
  L.set(it, call(L.runtime('elements'), [value]));
  const block = L.collect(() => {
    for (const [i, e] of (pattern['elements'] as (Node | null)[]).entries()) {
      if (!e) {
        L.emit(statement(call(member(L.ref(it), 'next'), [lit(i)])));
        continue;
      }
      const isRest = e.type === 'RestElement',
        store = prepare(L, isRest ? e['argument'] : e, isBinding);
      store(call(member(L.ref(it), isRest ? 'rest' : 'next'), [lit(i)]));
    }
    L.emit(statement(call(member(L.ref(it), 'close'), [])));
  });
  L.emit(
    node('TryStep', {
      block,
      guard: 'finally',
      handler: [statement(call(member(L.ref(it), 'fail'), [])), throwing(id(L.words.error))],
    }),
  );
}
