import { call, isAnonymous, named, node, spelledOut, spread, type Node } from './ast.ts';
import { lower } from './expressions.ts';
import type { Lowering } from './lowering.ts';

/** An object literal: what stands before an await is settled, functions but for their names. */
export function lowerObject(L: Lowering, n: Node): Node {
  const properties = n['properties'] as Node[];
  let last = -1;
  properties.forEach((p, i) => {
    if (p.$awaits) last = i;
  });
  return {
    ...n,
    properties: properties.map((p, i) => {
      if (i > last) return p;
      if (p.type === 'SpreadElement') {
        const value = lower(L, p['argument']);
        return {
          ...p,
          argument: i < last ? L.settle(node('ObjectExpression', { properties: [spread(value)] })) : value,
        };
      }
      const isMethod = p['method'] || p['kind'] !== 'init';
      let key = p['key'] as Node;
      if (p['computed']) {
        const awaitsLater = i < last || p['value'].$awaits;
        key = lower(L, key);
        if (awaitsLater && key.type !== 'Literal') key = L.settle(call(L.runtime('keyOf'), [key]));
      }
      if (isMethod) return { ...p, key };
      let value = lower(L, p['value']);
      if (i < last && !(isAnonymous(value) && value.type !== 'ClassExpression')) {
        value = L.settle(
          isAnonymous(value) && !p['computed'] ? named(value, String(key['name'] ?? key['value'])) : value,
        );
      }
      return spelledOut(p, key, value);
    }),
  };
}

/** Heritage and computed keys are evaluated first; the class body itself cannot await. */
export function lowerClass(L: Lowering, n: Node): Node {
  const members = n['body'].body as Node[],
    keyed = members.filter((m) => m['computed']);
  let last = n['superClass']?.$awaits ? -1 : -2;
  keyed.forEach((m, i) => {
    if (m['key'].$awaits) last = i;
  });
  let superClass = n['superClass'] as Node | null;
  if (superClass) {
    superClass = lower(L, superClass);
    if (last > -1) superClass = L.settle(superClass);
  }
  const keys = new Map<Node, Node>();
  keyed.forEach((m, i) => {
    if (i <= last) keys.set(m, L.settle(call(L.runtime('keyOf'), [lower(L, m['key'])])));
  });
  const body = { ...n['body'], body: members.map((m) => (keys.has(m) ? { ...m, key: keys.get(m) } : m)) };
  return { ...n, superClass, body };
}
