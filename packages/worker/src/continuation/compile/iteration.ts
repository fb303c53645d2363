import {
  assign,
  binary,
  block,
  call,
  id,
  ifThen,
  lit,
  member,
  node,
  not,
  statement,
  throwing,
  whileTrue,
  type Node,
} from './ast.ts';
import { awaitStep, lower, lowerMember } from './expressions.ts';
import type { Lowering, Target } from './lowering.ts';
import { destructure, lowerPattern } from './patterns.ts';
import type { Variable } from './scope.ts';
import { body, enter, withTarget } from './statements.ts';
import { guarded } from './try.ts';
import { lowerUsing } from './using.ts';

const method = (L: Lowering, cursor: Variable, name: string, ...args: Node[]): Node =>
  call(member(L.ref(cursor), name), args);

/** Evaluates the iterated expression, in which the loop's own names are dead. */
function iterated(L: Lowering, n: Node): Node {
  for (const v of n.$scope!.variables.values())
    if (v.isHoisted && v.needsCheck) {
      enter(L, n.$scope!);
      break;
    }
  return lower(L, n['right']);
}

/** Binds the loop variable for one iteration. */
function bind(L: Lowering, n: Node, cursor: Variable): void {
  enter(L, n.$scope!);
  const left = n['left'] as Node,
    isDeclaration = left.type === 'VariableDeclaration';
  const target = (isDeclaration ? left['declarations'][0].id : left) as Node,
    value = member(L.ref(cursor), 'value');
  L.scoped(() => {
    if (!target.$awaits) {
      destructure(L, target, value, left, isDeclaration);
      return;
    }
    const settled = L.settle(value);
    if (target.type === 'MemberExpression') L.emit(statement(assign(lowerMember(L, target), settled, '=', left)));
    else lowerPattern(L, target, settled, isDeclaration);
  });
}

/** One iteration: the binding, then the body. */
function iterate(L: Lowering, n: Node, cursor: Variable): void {
  const left = n['left'] as Node;
  if (left.type === 'VariableDeclaration' && left['kind'].endsWith('using')) {
    enter(L, n.$scope!);
    const declarator = { ...left['declarations'][0], init: member(L.ref(cursor), 'value') };
    L.scoped(() => lowerUsing(L, [{ ...left, declarations: [declarator] }, n['body']], 0));
    return;
  }
  bind(L, n, cursor);
  L.emit(...body(L, n['body']));
}

/** The loop's position is a local number, so that each resumption goes on from its own. */
function positioned(L: Lowering, n: Node, cursor: Variable, target: Target): void {
  const position = L.temp();
  L.set(position, lit(0));
  withTarget(L, target, () =>
    node(
      'WhileStatement',
      {
        test: assign(L.ref(position, true), method(L, cursor, 'next', L.ref(position))),
        body: block(L.collect(() => iterate(L, n, cursor))),
      },
      n,
    ),
  );
}

/** Of `map.entries()` and its kind, the collection is what a loop can go on with: such an iterator could be used once only. */
function cursorOf(L: Lowering, iterable: Node, from: Node): Node {
  const callee =
      iterable.type === 'CallExpression' && !iterable['arguments'].length ? (iterable['callee'] as Node) : null,
    isView =
      callee?.type === 'MemberExpression' &&
      !callee['computed'] &&
      !callee['optional'] &&
      callee['object'].type !== 'Super' &&
      VIEWS.has(callee['property'].name);
  if (!isView) return call(L.runtime('cursorOf'), [iterable], from);
  return call(L.runtime('cursorOfView'), [callee['object'], lit(callee['property'].name)], from);
}
const VIEWS: ReadonlySet<string> = new Set(['keys', 'values', 'entries']);

export function lowerForOf(L: Lowering, n: Node, labels: string[]): void {
  const cursor = L.temp();
  L.set(cursor, cursorOf(L, iterated(L, n), n['right']));
  const close = (): void => L.emit(statement(method(L, cursor, 'close')));
  L.emit(
    guarded(L, 'finally', () => positioned(L, n, cursor, { kind: 'loop', labels, isNative: false, close }), [
      statement(method(L, cursor, 'fail')),
      throwing(id(L.words.error)),
    ]),
  );
}

export function lowerForIn(L: Lowering, n: Node, labels: string[]): void {
  const cursor = L.temp(),
    d = n['left'].type === 'VariableDeclaration' ? (n['left'].declarations[0] as Node) : null;
  if (d?.['init']) L.emit(statement(assign(d['id'], lower(L, d['init']))));
  L.set(cursor, call(L.runtime('keysOf'), [iterated(L, n)], n['right']));
  positioned(L, n, cursor, { kind: 'loop', labels, isNative: false });
}

/** The iterator is an object that all resumptions share; each step and the closing await. */
export function lowerForAwait(L: Lowering, n: Node, labels: string[]): void {
  const cursor = L.temp(),
    kind = L.temp(),
    value = L.temp(),
    step = L.temp(),
    position = L.temp();
  L.set(position, lit(0));
  L.set(cursor, call(L.runtime('asyncCursorOf'), [iterated(L, n)], n['right']));
  L.set(kind, lit(0));
  const close = (inner: Lowering): void =>
    inner.emit(
      ifThen(
        method(inner, cursor, 'mustReturn'),
        inner.collect(() => {
          inner.emit(awaitStep(inner.ref(step, true), member(inner.ref(cursor), 'result'), n));
          inner.emit(statement(method(inner, cursor, 'check', inner.ref(step))));
        }),
      ),
    );
  const target: Target = { kind: 'loop', labels, isNative: false, close };
  L.emit(
    guarded(
      L,
      'finally',
      () =>
        withTarget(L, target, () =>
          whileTrue(
            L.collect(() => {
              L.emit(awaitStep(L.ref(step, true), method(L, cursor, 'next', L.ref(position)), n));
              // Exhausted: there is nothing to close.
              L.emit(
                ifThen(not(method(L, cursor, 'take', L.ref(step), L.ref(position))), [
                  node('BreakStatement', { label: id((target.breakLabel ??= L.label())) }),
                ]),
              );
              L.set(position, member(L.ref(cursor), 'position'));
              iterate(L, n, cursor);
            }),
            n,
          ),
        ),
      [statement(assign(L.ref(kind), lit(1))), statement(assign(L.ref(value), id(L.words.error)))],
    ),
  );
  L.emit(
    ifThen(
      binary('===', L.ref(kind), lit(1)),
      L.collect(() => {
        L.emit(
          guarded(
            L,
            'finally',
            () =>
              L.emit(
                ifThen(
                  method(L, cursor, 'mustReturn'),
                  L.collect(() => L.emit(awaitStep(null, member(L.ref(cursor), 'result'), n))),
                ),
              ),
            [],
          ),
        );
        L.emit(throwing(L.ref(value)));
      }),
    ),
  );
}
