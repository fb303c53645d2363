import {
  array,
  assign,
  binary,
  call,
  ifThen,
  isAnonymous,
  lit,
  named,
  nameless,
  node,
  not,
  sequence,
  spelledOut,
  spread,
  statement,
  undef,
  type Node,
} from './ast.ts';
import type { Lowering } from './lowering.ts';
import type { Variable } from './scope.ts';
import { lowerPattern } from './patterns.ts';

/**
 * Emits what must run before the last step of an expression, so that every await stands alone, and returns that last step.
 * Whatever is evaluated before an await goes to a temporary, left to right; code without awaits is left as it is.
 */
export function lower(L: Lowering, n: Node): Node {
  if (!n.$awaits) return n;
  switch (n.type) {
    case 'AwaitExpression':
      return lowerAwait(L, n);
    case 'BinaryExpression': {
      if (n['left'].type === 'PrivateIdentifier') return { ...n, right: lower(L, n['right']) };
      const [left, right] = lowerAll(L, [n['left'], n['right']]);
      return { ...n, left, right };
    }
    case 'LogicalExpression': {
      const t = L.temp();
      L.set(t, lower(L, n['left']));
      L.emit(
        ifThen(
          continues(n['operator'], L.ref(t), L.ref(t)),
          L.collect(() => L.set(t, lower(L, n['right']))),
        ),
      );
      return L.ref(t);
    }
    case 'ConditionalExpression': {
      const test = lower(L, n['test']),
        t = L.temp();
      L.emit(
        ifThen(
          test,
          L.collect(() => L.set(t, lower(L, n['consequent']))),
          L.collect(() => L.set(t, lower(L, n['alternate']))),
        ),
      );
      return L.ref(t);
    }
    case 'SequenceExpression': {
      const parts = n['expressions'] as Node[];
      for (const e of parts.slice(0, -1)) L.emit(statement(lower(L, e)));
      const result = lower(L, parts.at(-1)!);
      return isAnonymous(result) ? nameless(result) : result;
    }
    case 'UnaryExpression':
      if (n['operator'] === 'delete' && n['argument'].type === 'ChainExpression')
        return lowerChain(L, n['argument'], { isDelete: true });
      if (n['operator'] === 'delete' && n['argument'].type === 'MemberExpression')
        return { ...n, argument: lowerMember(L, n['argument']) };
      return { ...n, argument: lower(L, n['argument']) };
    case 'UpdateExpression':
      return { ...n, argument: lowerMember(L, n['argument'], true) };
    case 'AssignmentExpression':
      return lowerAssignment(L, n);
    case 'MemberExpression':
      return lowerMember(L, n);
    case 'ChainExpression':
      return lowerChain(L, n);
    case 'CallExpression':
      return lowerCall(L, n);
    case 'NewExpression': {
      const [callee, ...args] = lowerAll(L, [n['callee'], ...n['arguments']]);
      return { ...n, callee: isNewable(callee!) ? callee : L.settle(callee!), arguments: args };
    }
    case 'ImportExpression': {
      const [source, options] = lowerAll(L, [n['source'], n['options'] ?? null]);
      return { ...n, source, options };
    }
    case 'ArrayExpression':
      return { ...n, elements: lowerAll(L, n['elements']) };
    case 'ObjectExpression':
      return lowerObject(L, n);
    case 'TemplateLiteral':
      return {
        ...n,
        expressions: lowerAll(L, n['expressions'], (e) =>
          node('TemplateLiteral', { expressions: [e], quasis: [quasi(''), quasi('')] }, e),
        ),
      };
    case 'TaggedTemplateExpression': {
      const member = n['tag'].type === 'MemberExpression' ? lowerMember(L, n['tag']) : null;
      let tag: Node;
      if (member && member['object'].type !== 'Super') {
        const self = L.settle(member['object']);
        if (L.isSaved) tag = lateMethod(L, member, self);
        else tag = call(L.runtime('bind'), [L.settle({ ...member, object: self }), self]);
      } else if (member) tag = call(L.runtime('bind'), [L.settle(member), node('ThisExpression', {})]);
      else if (isMethodChain(n['tag'])) {
        const self = L.temp();
        tag = call(L.runtime('bind'), [lowerChain(L, n['tag'], { receiver: self }), L.ref(self)]);
      } else tag = L.settle(lower(L, n['tag']));
      // A tag gets the values themselves, not strings.
      return { ...n, tag, quasi: { ...n['quasi'], expressions: lowerAll(L, n['quasi'].expressions) } };
    }
    case 'ClassExpression':
      return lowerClass(L, n);
    case 'SpreadElement':
      return { ...n, argument: lower(L, n['argument']) };
    case 'ParenthesizedExpression':
      return lower(L, n['expression']);
    default:
      throw new Error(`Cannot compile ${n.type}: an await stands where none was expected`);
  }
}

const isNewable = (n: Node): boolean =>
  n.type === 'Identifier' || (n.type === 'MemberExpression' && n['object'].type === 'Identifier');
const quasi = (raw: string): Node => node('TemplateElement', { value: { raw, cooked: raw }, tail: false });

/** The test under which `a && b`, `a || b`, `a ?? b` (and their assignments) go on to the right side. */
function continues(operator: string, value: Node, again: Node): Node {
  if (operator.startsWith('&&')) return value;
  if (operator.startsWith('||')) return not(value);
  return binary('||', binary('===', value, lit(null)), binary('===', again, undef()));
}

export function lowerAwait(L: Lowering, n: Node): Node {
  const argument = lower(L, n['argument']),
    t = L.temp();
  L.emit(awaitStep(L.ref(t, true), argument, n));
  return L.ref(t);
}

export function awaitStep(target: Node | null, argument: Node, source: Node): Node {
  return node('AwaitStep', { target, argument, source, $awaits: true }, source);
}

/** Lowers expressions that are evaluated from left to right; what precedes the last await is settled. */
export function lowerAll(L: Lowering, list: (Node | null)[], convert?: (n: Node) => Node): (Node | null)[] {
  let last = -1;
  list.forEach((n, i) => {
    if (n?.$awaits) last = i;
  });
  return list.map((n, i) => {
    if (!n || i > last) return n;
    if (n.type === 'SpreadElement') {
      const value = lower(L, n['argument']);
      return { ...n, argument: i < last ? L.settle(array([spread(value)])) : value };
    }
    const value = lower(L, n);
    if (i === last) return value;
    return convert && value.type !== 'Literal' ? L.settle(convert(value)) : L.settle(value);
  });
}

/** A member expression whose object and key are settled if `forReuse`; its own get is not performed yet. */
export function lowerMember(L: Lowering, n: Node, forReuse = false): Node {
  if (n.type !== 'MemberExpression') return n;
  const isSuper = n['object'].type === 'Super';
  if (!n['computed']) {
    const object = isSuper ? n['object'] : lower(L, n['object']);
    return { ...n, object: forReuse && !isSuper ? L.settle(object) : object };
  }
  if (isSuper) return { ...n, property: forReuse ? L.settle(lower(L, n['property'])) : lower(L, n['property']) };
  const [object, property] = lowerAll(L, [n['object'], n['property']]);
  return forReuse ? { ...n, object: L.settle(object!), property: L.settle(property!) } : { ...n, object, property };
}

function lowerAssignment(L: Lowering, n: Node): Node {
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

function lowerCall(L: Lowering, n: Node): Node {
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
function lateMethod(L: Lowering, n: Node, self: Node): Node {
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
const isMethodChain = (n: Node): boolean => n.type === 'ChainExpression' && n['expression'].type === 'MemberExpression';

interface ChainUse {
  isDelete?: boolean;
  /** Gets the object whose member the chain is. */
  receiver?: Variable;
}

/** `a?.b.c(await d)?.[e]`: from the base outwards; a short circuit skips the rest. */
function lowerChain(L: Lowering, n: Node, { isDelete = false, receiver }: ChainUse = {}): Node {
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

function lowerObject(L: Lowering, n: Node): Node {
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
