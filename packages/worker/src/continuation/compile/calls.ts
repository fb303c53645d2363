import { call, ifThen, lit, not, node, sequence, statement, undef, type Node } from './ast.ts';
import { continues, lower, lowerAll, lowerMember } from './expressions.ts';
import type { Lowering } from './lowering.ts';
import type { Variable } from './scope.ts';

/** A call: the function and its receiver are found before the arguments, as the language has it. */
export function lowerCall(L: Lowering, n: Node): Node {
  const callee = n['callee'] as Node,
    args = n['arguments'] as Node[],
    argsAwait = args.some((a) => a.$awaits);
  if (callee.type === 'Super') return { ...n, arguments: lowerAll(L, args) };
  if (callee.type === 'MemberExpression') {
    const target = lowerMember(L, callee, false);
    if (!argsAwait) return { ...n, callee: target };
    const self = target['object'].type === 'Super' ? node('ThisExpression', {}) : L.settle(target['object']);
    if (L.isSaved && target['object'].type !== 'Super') {
      const callee = lateMethod(L, target, self);
      return { ...n, callee, arguments: lowerAll(L, args) };
    }
    const method = L.settle(target['object'].type === 'Super' ? target : { ...target, object: self });
    return callWith(L, method, self, lowerAll(L, args), n);
  }
  if (isMethodChain(callee)) {
    const self = L.temp(),
      method = lowerChain(L, callee, { receiver: self });
    return callWith(L, method, L.ref(self), lowerAll(L, args), n);
  }
  const f = lower(L, callee);
  if (!argsAwait) return { ...n, callee: f.type === 'MemberExpression' ? sequence([lit(0), f]) : f };
  const settled = L.settle(f);
  return { ...n, callee: settled, arguments: lowerAll(L, args) };
}

/**
 * `self.method`, to be looked up when the arguments are there: a method, which may be native, has no place in a frame. That the object
 * has properties at all is seen before, as in the order of the language.
 */
export function lateMethod(L: Lowering, n: Node, self: Node): Node {
  if (n['computed'] && n['property'].type !== 'Literal')
    return { ...n, object: self, property: L.settle(call(L.runtime('keyOf'), [n['property'], self])) };
  const key = n['property'] as Node,
    isOutside = self.type === 'Identifier' && (!self.$ref?.variable || self.$ref.variable.kind === 'import');
  if (!isOutside && key.type !== 'PrivateIdentifier')
    L.emit(statement(call(L.runtime('receiver'), [self, lit(String(key['name'] ?? key['value']))])));
  return { ...n, object: self };
}

function callWith(L: Lowering, method: Node, self: Node, args: (Node | null)[], n: Node): Node {
  return call(L.runtime('callWith'), [method, self, ...args], n);
}

const argumentsAwait = (n: Node): boolean => (n['arguments'] as Node[]).some((a) => a.$awaits);

/** `(a?.b)` where it is called: parentheses end the chain, and keep the receiver. */
export const isMethodChain = (n: Node): boolean =>
  n.type === 'ChainExpression' && n['expression'].type === 'MemberExpression';

interface ChainUse {
  isDelete?: boolean;
  /** Gets the object whose member the chain is. */
  receiver?: Variable;
}

/** `a?.b.c(await d)?.[e]`: from the base outwards; a short circuit skips the rest. */
export function lowerChain(L: Lowering, n: Node, { isDelete = false, receiver }: ChainUse = {}): Node {
  const links: Node[] = [];
  let base = n['expression'] as Node;
  while (base.type === 'MemberExpression' || base.type === 'CallExpression') {
    links.unshift(base);
    base = base.type === 'MemberExpression' ? base['object'] : base['callee'];
  }
  const result = L.temp();
  L.set(result, isDelete ? lit(true) : undef());
  if (receiver) L.set(receiver, undef());
  const follow = (i: number, value: Node, self: Node | null): void => {
    const link = links[i];
    if (!link) {
      L.set(result, value);
      if (receiver && self) L.set(receiver, self);
      return;
    }
    const rest = (value: Node): void => {
      if (link.type === 'MemberExpression') {
        const isSuper = value.type === 'Super',
          property = link['computed'] ? lower(L, link['property']) : link['property'];
        const next = links[i + 1],
          isReceiver = next ? next.type === 'CallExpression' : receiver !== undefined,
          object = isReceiver && !isSuper ? L.settle(value) : value,
          isLate = L.isSaved && !isSuper && next?.type === 'CallExpression' && argumentsAwait(next);
        const plain: Node = { ...link, object, property, optional: false },
          got = isLate ? lateMethod(L, plain, object) : plain;
        if (isDelete && i === links.length - 1) {
          L.set(result, node('UnaryExpression', { operator: 'delete', prefix: true, argument: got }));
          return;
        }
        follow(i + 1, next && !isLate ? L.settle(got) : got, isSuper ? node('ThisExpression', {}) : object);
        return;
      }
      const args = lowerAll(L, link['arguments']);
      const got = self && !isLate(value) ? callWith(L, value, self, args, link) : call(value, args, link);
      follow(i + 1, links[i + 1] ? L.settle(got) : got, null);
    };
    if (!link['optional']) {
      const mustSettle = link.type === 'CallExpression' || (link['computed'] && link['property'].$awaits);
      rest(mustSettle && value.type !== 'Super' && !isLate(value) ? L.settle(value) : value);
      return;
    }
    const settled = L.settle(value);
    L.emit(
      ifThen(
        not(continues('??', settled, { ...settled })),
        L.collect(() => rest(isLate(value) ? value : settled)),
      ),
    );
    /** A method that is looked up when its arguments are there. */
    function isLate(n: Node): boolean {
      return L.isSaved && link?.type === 'CallExpression' && n.type === 'MemberExpression' && argumentsAwait(link);
    }
  };
  follow(0, base.type === 'Super' ? base : lower(L, base), null);
  return L.ref(result);
}
