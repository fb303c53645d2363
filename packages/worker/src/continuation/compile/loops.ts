import { assign, block, id, labeled, node, sequence, statement, whileTrue, type Node } from './ast.ts';
import { lower } from './expressions.ts';
import type { Lowering, Target } from './lowering.ts';
import { body, box, enter, lowerEffect, lowerOne, raw, withTarget } from './statements.ts';
import { lowerUsing } from './using.ts';

export function lowerWhile(L: Lowering, n: Node, labels: string[]): void {
  withTarget(L, { kind: 'loop', labels, isNative: false }, () => {
    if (!n['test'].$awaits) return node('WhileStatement', { test: n['test'], body: block(body(L, n['body'])) }, n);
    return whileTrue(
      L.collect(() => {
        L.scoped(() => L.emit(...leaveUnless(L, lower(L, n['test']))));
        L.emit(...body(L, n['body']));
      }),
      n,
    );
  });
}

/** Leaves the innermost loop unless the test holds. */
function leaveUnless(L: Lowering, test: Node): Node[] {
  const loop = L.targets.at(-1)!;
  return [
    node(
      'IfStatement',
      {
        test: node('UnaryExpression', { operator: '!', prefix: true, argument: test }),
        consequent: node('BreakStatement', { label: id((loop.breakLabel ??= L.label())) }),
        alternate: null,
      },
      test,
    ),
  ];
}

export function lowerDoWhile(L: Lowering, n: Node, labels: string[]): void {
  const target: Target = { kind: 'loop', labels, isNative: false, hasOwnContinue: n['test'].$awaits === true };
  withTarget(L, target, () => {
    if (!target.hasOwnContinue)
      return node('DoWhileStatement', { body: block(body(L, n['body'])), test: n['test'] }, n);
    return whileTrue(
      L.collect(() => {
        L.emit(...continuable(target, body(L, n['body'])));
        L.scoped(() => L.emit(...leaveUnless(L, lower(L, n['test']))));
      }),
      n,
    );
  });
}

const continuable = (target: Target, list: Node[]): Node[] =>
  target.continueLabel ? [labeled(target.continueLabel, block(list))] : list;

export function lowerFor(L: Lowering, n: Node, labels: string[]): void {
  const head = n.$scope!;
  enter(L, head);
  if (n['init']?.type === 'VariableDeclaration' && n['init'].kind.endsWith('using')) {
    lowerUsing(L, [n['init'], { ...n, init: null, $labels: labels }], 0);
    return;
  }
  if (n['init'])
    L.scoped(() =>
      lowerOne(
        L,
        n['init'].type === 'VariableDeclaration'
          ? n['init']
          : { ...statement(n['init']), $awaits: n['init'].$awaits ?? false },
        [],
      ),
    );
  // Each iteration has bindings of its own; only those that closures share with later writes can tell.
  const copies = [...head.variables.values()]
    .filter((v) => v.isHoisted && v.isBoxed && v.isPerIteration)
    .map((v) =>
      assign(
        raw(L, v),
        box(node('MemberExpression', { object: raw(L, v), property: id('v'), computed: false, optional: false })),
      ),
    );
  L.emit(...copies.map(statement));
  const stepAwaits = n['test']?.$awaits || n['update']?.$awaits;
  const target: Target = { kind: 'loop', labels, isNative: false, hasOwnContinue: stepAwaits };
  withTarget(L, target, () => {
    if (!stepAwaits) {
      const parts = [...copies, ...(n['update'] ? [n['update'] as Node] : [])];
      return node(
        'ForStatement',
        {
          init: null,
          test: n['test'],
          update: parts.length > 1 ? sequence(parts) : (parts[0] ?? null),
          body: block(body(L, n['body'])),
        },
        n,
      );
    }
    return whileTrue(
      L.collect(() => {
        if (n['test']) L.scoped(() => L.emit(...leaveUnless(L, lower(L, n['test']))));
        L.emit(...continuable(target, body(L, n['body'])));
        L.emit(...copies.map(statement));
        if (n['update']) L.scoped(() => lowerEffect(L, n['update'], n));
      }),
      n,
    );
  });
}
