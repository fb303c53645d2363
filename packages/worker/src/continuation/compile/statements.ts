import {
  assign,
  binary,
  block,
  id,
  ifThen,
  labeled,
  lit,
  node,
  placed,
  statement,
  throwing,
  undef,
  type Node,
} from './ast.ts';
import { awaitStep, lower } from './expressions.ts';
import { lowerForAwait, lowerForIn, lowerForOf } from './iteration.ts';
import { jump } from './jumps.ts';
import { lowerClass } from './literals.ts';
import { lowerDoWhile, lowerFor, lowerWhile } from './loops.ts';
import type { Lowering, Target } from './lowering.ts';
import { native } from './native-statements.ts';
import { destructure, lowerPattern } from './patterns.ts';
import type { Scope, Variable } from './scope.ts';
import { lowerTry } from './try.ts';
import { lowerUsing } from './using.ts';

/** Lowers a statement list whose declarations live in the activation. */
export function lowerList(L: Lowering, list: Node[], scope: Scope | undefined): void {
  if (scope) enter(L, scope);
  for (const s of list) {
    let inner = s;
    while (inner.type === 'LabeledStatement') inner = inner['body'];
    if (inner.type === 'FunctionDeclaration')
      L.emit(statement(assign(inner['id'], { ...inner, type: 'FunctionExpression', id: null }, '=', inner)));
  }
  for (const [i, s] of list.entries()) {
    if (s.type === 'VariableDeclaration' && s['kind'].endsWith('using')) {
      lowerUsing(L, list, i);
      return;
    }
    lowerStatement(L, s);
  }
}

/** Gives the variables of a block their state before any declaration has run. */
export function enter(L: Lowering, scope: Scope): void {
  for (const v of scope.variables.values()) {
    if (!v.isHoisted) continue;
    const empty = v.needsCheck ? L.runtime('unset') : v.kind === 'param' ? raw(L, v) : undef();
    if (v.isBoxedEarly) L.emit(statement(assign(raw(L, v), box(empty))));
    else if (v.needsCheck) L.emit(statement(assign(raw(L, v), v.isBoxed ? box(empty) : empty)));
  }
}

/** The variable's own slot, whatever it holds: never the inside of its box. */
export function raw(L: Lowering, v: Variable): Node {
  const n = L.ref(v);
  n['$raw'] = true;
  return n;
}
export const box = (value: Node): Node =>
  node('ObjectExpression', {
    properties: [
      node('Property', { key: id('v'), value, kind: 'init', computed: false, method: false, shorthand: false }),
    ],
  });

export function lowerStatement(L: Lowering, n: Node): void {
  L.scoped(() => lowerOne(L, n));
}

/** One statement, with the labels that stand before it. */
export function lowerOne(L: Lowering, n: Node, labels: string[] = n['$labels'] ?? []): void {
  switch (n.type) {
    case 'VariableDeclaration':
      lowerDeclaration(L, n);
      return;
    case 'FunctionDeclaration': {
      const outer = L.fn.blockFunctions.get(n);
      if (outer)
        L.emit(statement(assign(L.ref(outer, true), { ...n['id'], $ref: { ...n['id'].$ref, isWrite: false } })));
      return;
    }
    case 'ClassDeclaration':
      L.emit(statement(assign(n['id'], lowerClass(L, { ...n, type: 'ClassExpression' }), '=', n)));
      return;
    case 'ReturnStatement':
      lowerReturn(L, n);
      return;
  }
  if (!n.$awaits) {
    L.emit(...native(L, n, labels));
    return;
  }
  switch (n.type) {
    case 'ExpressionStatement':
      lowerEffect(L, n['expression'], n);
      return;
    case 'BlockStatement':
      if (!labels.length) {
        lowerList(L, n['body'], n.$scope);
        return;
      }
      withTarget(L, { kind: 'label', labels, isNative: false }, () =>
        block(L.collect(() => lowerList(L, n['body'], n.$scope))),
      );
      return;
    case 'LabeledStatement':
      lowerOne(L, n['body'], [...labels, n['label'].name]);
      return;
    case 'IfStatement': {
      const test = lower(L, n['test']);
      withTarget(L, { kind: 'label', labels, isNative: false }, () =>
        ifThen(test, body(L, n['consequent']), n['alternate'] ? body(L, n['alternate']) : null),
      );
      return;
    }
    case 'ThrowStatement':
      L.emit(throwing(lower(L, n['argument'])));
      return;
    case 'WhileStatement':
      lowerWhile(L, n, labels);
      return;
    case 'DoWhileStatement':
      lowerDoWhile(L, n, labels);
      return;
    case 'ForStatement':
      lowerFor(L, n, labels);
      return;
    case 'ForOfStatement':
      if (n['await']) lowerForAwait(L, n, labels);
      else lowerForOf(L, n, labels);
      return;
    case 'ForInStatement':
      lowerForIn(L, n, labels);
      return;
    case 'SwitchStatement':
      lowerSwitch(L, n, labels);
      return;
    case 'TryStatement':
      withTarget(L, { kind: 'label', labels, isNative: false }, () => block(L.collect(() => lowerTry(L, n))));
      return;
    default:
      throw new Error(`Cannot compile ${n.type}: an await stands where none was expected`);
  }
}

/** Emits a statement that jumps may leave, with a label if one does. */
export function withTarget(L: Lowering, target: Target, make: () => Node): void {
  const made = L.within(target, make);
  L.emit(target.breakLabel ? labeled(target.breakLabel, made) : made);
}

export function body(L: Lowering, n: Node): Node[] {
  return L.collect(() => {
    if (n.type === 'BlockStatement' && n.$awaits) L.scoped(() => lowerList(L, n['body'], n.$scope));
    else lowerStatement(L, n);
  });
}

/** An expression whose value nobody wants. */
export function lowerEffect(L: Lowering, e: Node, from: Node): void {
  if (e.type === 'AwaitExpression') {
    L.emit(awaitStep(null, lower(L, e['argument']), e));
    return;
  }
  if (e.type === 'AssignmentExpression' && e['operator'] === '=' && e['left'].type === 'Identifier') {
    store(L, e['left'], lower(L, e['right']), e);
    return;
  }
  const value = lower(L, e);
  if (value.$ref?.variable?.kind !== 'temp') L.emit(statement(value.start < 0 ? placed(value, from) : value));
}

/** `x = value`; an await that was just emitted puts its result straight into x. */
export function store(L: Lowering, target: Node, value: Node, from: Node): void {
  const last = L.out.at(-1),
    v = target.$ref?.variable;
  const isPlain =
    v?.isHoisted &&
    !v.isBoxed &&
    target.$ref!.scope.fn === L.fn &&
    (target.$ref!.isInit || !(v.needsCheck || v.kind === 'const' || v.kind === 'using'));
  if (
    isPlain &&
    last?.type === 'AwaitStep' &&
    last['target']?.$ref.variable === value.$ref?.variable &&
    value.$ref?.variable?.kind === 'temp'
  )
    last['target'] = target;
  else L.emit(statement(assign(target, value, '=', from)));
}

function lowerDeclaration(L: Lowering, n: Node): void {
  for (const d of n['declarations'] as Node[]) {
    const target = d['id'] as Node;
    if (!d['init']) {
      if (n['kind'] !== 'var') L.emit(statement(assign(target, undef(), '=', d)));
    } else if (target.type === 'Identifier') store(L, target, lower(L, d['init']), d);
    else if (!target.$awaits) destructure(L, target, lower(L, d['init']), d, n['kind'] !== 'var');
    else lowerPattern(L, target, L.settle(lower(L, d['init'])), true);
  }
}

function lowerReturn(L: Lowering, n: Node): void {
  const argument = n['argument'] as Node | null;
  if (
    argument?.type === 'AwaitExpression' &&
    L.tryDepth === 0 &&
    !L.targets.some((t) => t.close || t.kind === 'finally')
  ) {
    L.emit(
      node(
        'AwaitStep',
        { target: null, isTail: true, argument: lower(L, argument['argument']), source: argument, $awaits: true },
        n,
      ),
    );
    return;
  }
  jump(L, n, argument ? lower(L, argument) : null);
}

function lowerSwitch(L: Lowering, n: Node, labels: string[]): void {
  const cases = n['cases'] as Node[],
    value = L.temp(),
    chosen = L.temp();
  L.set(value, lower(L, n['discriminant']));
  const scope = n.$scope!;
  enter(L, scope);
  for (const k of cases)
    for (const s of k['consequent'] as Node[]) {
      if (s.type === 'FunctionDeclaration')
        L.emit(statement(assign(s['id'], { ...s, type: 'FunctionExpression', id: null }, '=', s)));
    }
  const otherwise = cases.findIndex((k) => !k['test']);
  L.set(chosen, lit(otherwise < 0 ? cases.length : otherwise));
  const found = L.label();
  L.emit(
    labeled(
      found,
      block(
        L.collect(() => {
          cases.forEach((k, i) => {
            if (k['test'])
              L.scoped(() =>
                L.emit(
                  ifThen(
                    binary('===', L.ref(value), lower(L, k['test'])),
                    L.collect(() => {
                      L.set(chosen, lit(i));
                      L.breakTo(found);
                    }),
                  ),
                ),
              );
          });
        }),
      ),
    ),
  );
  withTarget(L, { kind: 'switch', labels, isNative: false }, () =>
    node(
      'CaseStep',
      {
        selector: L.ref(chosen),
        lists: cases.map((k) =>
          L.collect(() => {
            for (const s of k['consequent']) lowerStatement(L, s);
          }),
        ),
      },
      n,
    ),
  );
}
