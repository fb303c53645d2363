import {
  array,
  binary,
  call,
  ifThen,
  isAnonymous,
  lit,
  nameless,
  node,
  not,
  spread,
  statement,
  undef,
  type Node,
} from './ast.ts';
import { lowerAssignment } from './assignments.ts';
import { isMethodChain, lateMethod, lowerCall, lowerChain } from './calls.ts';
import { lowerClass, lowerObject } from './literals.ts';
import type { Lowering } from './lowering.ts';

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
      if (n['operator'] === 'delete') {
        // Of a value it deletes nothing; but of the temporary that holds it the answer would be another.
        L.emit(statement(lower(L, n['argument'])));
        return lit(true);
      }
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
export function continues(operator: string, value: Node, again: Node): Node {
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
