import { assign, block, changed, declare, sequence, statement, type Node } from './ast.ts';
import { jump } from './jumps.ts';
import type { Lowering, Target } from './lowering.ts';

/**
 * A statement without awaits keeps its form and its own block scopes. Only what concerns the activation changes: `var`s become
 * assignments, jumps out of it and returns go through the lowering's targets.
 */
export function native(L: Lowering, n: Node, labels: string[]): Node[] {
  const one = (x: Node | null): Node | null => {
    if (!x) return null;
    const list = native(L, x, []);
    return list.length === 1 ? list[0]! : block(list, x);
  };
  const inside = <T>(target: Target, make: () => T): T => L.within(target, make);
  switch (n.type) {
    case 'VariableDeclaration':
      return n['kind'] === 'var' ? varAssignments(n).map((e) => statement(e)) : [n];
    case 'FunctionDeclaration': {
      const outer = L.fn.blockFunctions.get(n);
      const self = { ...n['id'], $ref: { ...n['id'].$ref, isWrite: false } };
      return outer ? [statement(assign(L.ref(outer, true), self))] : [];
    }
    case 'ClassDeclaration':
      return hasPerIteration(n) && !L.isSaved ? [declare('let', n['id'], { ...n, type: 'ClassExpression' })] : [n];
    case 'BlockStatement': {
      const make = (): Node => changed(n, { body: nativeList(L, n['body']) });
      return [labels.length ? inside(label(labels), make) : make()];
    }
    case 'LabeledStatement': {
      const list = native(L, n['body'], [...labels, n['label'].name]);
      return [changed(n, { body: list.length === 1 ? list[0] : block(list) })];
    }
    case 'IfStatement':
      return [
        inside(label(labels), () => changed(n, { consequent: one(n['consequent']), alternate: one(n['alternate']) })),
      ];
    case 'WhileStatement':
    case 'DoWhileStatement':
      return [inside(loop(labels), () => changed(n, { body: one(n['body']) }))];
    case 'ForStatement': {
      const init =
        n['init']?.type === 'VariableDeclaration' && n['init'].kind === 'var'
          ? asExpression(varAssignments(n['init']))
          : n['init'];
      return [inside(loop(labels), () => changed(n, { init, body: one(n['body']) }))];
    }
    case 'ForInStatement':
    case 'ForOfStatement': {
      const isVar = n['left'].type === 'VariableDeclaration' && n['left'].kind === 'var',
        d = isVar ? (n['left'].declarations[0] as Node) : null;
      const loopNode = inside(loop(labels), () => changed(n, { left: d ? d['id'] : n['left'], body: one(n['body']) }));
      return d?.['init'] ? [statement(assign(d['id'], d['init'])), loopNode] : [loopNode];
    }
    case 'SwitchStatement':
      return [
        inside({ kind: 'switch', labels, isNative: true }, () =>
          changed(n, {
            cases: (n['cases'] as Node[]).map((k) => changed(k, { consequent: nativeList(L, k['consequent']) })),
          }),
        ),
      ];
    case 'TryStatement':
      return [
        inside(label(labels), () =>
          changed(n, {
            block: one(n['block']),
            finalizer: one(n['finalizer']),
            handler: n['handler'] && changed(n['handler'], { body: one(n['handler'].body) }),
          }),
        ),
      ];
    case 'BreakStatement':
    case 'ContinueStatement':
      return L.collect(() => jump(L, n));
    case 'ReturnStatement':
      return L.collect(() => L.scoped(() => jump(L, n, n['argument'])));
    default:
      return [n];
  }
}

const label = (labels: string[]): Target => ({ kind: 'label', labels, isNative: true });
const loop = (labels: string[]): Target => ({ kind: 'loop', labels, isNative: true });
const hasPerIteration = (n: Node): boolean => [...(n.$captures ?? [])].some((v) => v.isPerIteration);

function nativeList(L: Lowering, list: Node[]): Node[] {
  const hoisted: Node[] = [],
    rest: Node[] = [];
  for (const s of list) {
    if (s.type !== 'FunctionDeclaration') {
      rest.push(...native(L, s, []));
      continue;
    }
    // A closure over a variable of this iteration gets it by value, which a declaration cannot.
    if (hasPerIteration(s) && !L.isSaved)
      hoisted.push(declare('let', s['id'], { ...s, type: 'FunctionExpression', id: null }));
    else rest.push(s);
    rest.push(...native(L, s, []));
  }
  return [...hoisted, ...rest];
}

function varAssignments(n: Node): Node[] {
  return (n['declarations'] as Node[]).filter((d) => d['init']).map((d) => assign(d['id'], d['init'], '=', d));
}
const asExpression = (list: Node[]): Node | null => (list.length > 1 ? sequence(list) : (list[0] ?? null));
