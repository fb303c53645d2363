import {
  assign,
  call,
  ifThen,
  isAnonymous,
  lit,
  named,
  member,
  node,
  statement,
  throwing,
  whileTrue,
  type Node,
} from './ast.ts';
import { awaitStep, lower } from './expressions.ts';
import type { Lowering } from './lowering.ts';
import { lowerStatement } from './statements.ts';
import { lowerFinally } from './try.ts';

/**
 * `using` and `await using`: the rest of the list runs under a finally that disposes, newest first.
 * The resources are an immutable list in a local, so that every resumption disposes what it holds, once.
 */
export function lowerUsing(L: Lowering, list: Node[], from: number): void {
  const resources = L.temp(),
    step = L.temp();
  L.set(resources, lit(null));
  lowerFinally(
    L,
    () => {
      for (const s of list.slice(from)) {
        if (s.type !== 'VariableDeclaration' || !s['kind'].endsWith('using')) {
          lowerStatement(L, s);
          continue;
        }
        L.scoped(() => {
          for (const d of s['declarations'] as Node[]) {
            const lowered = lower(L, d['init']),
              value = L.settle(isAnonymous(lowered) ? named(lowered, d['id'].name) : lowered);
            L.set(
              resources,
              call(L.runtime('addResource'), [L.ref(resources), value, lit(s['kind'] === 'await using')]),
            );
            L.emit(statement(assign(d['id'], value, '=', d)));
          }
        });
      }
    },
    (kind, value) => {
      L.set(resources, call(L.runtime('disposal'), [L.ref(resources), L.ref(kind), L.ref(value)]));
      const label = L.label(),
        declaration = list[from]!,
        remaining = L.ref(resources);
      const loop = whileTrue(
        L.collect(() => {
          // Synchronous resources are disposed on the way to the next one that must be awaited.
          L.set(step, call(member(remaining, 'next'), []));
          L.set(resources, member(L.ref(step), 'rest'));
          L.emit(
            ifThen(member(L.ref(step), 'isDone'), [
              node('BreakStatement', { label: node('Identifier', { name: label }) }),
            ]),
          );
          L.emit(
            node('TryStep', {
              block: [awaitStep(null, member(L.ref(step), 'promise'), declaration)],
              guard: 'finally',
              handler: [
                statement(
                  assign(
                    L.ref(resources),
                    call(member(L.ref(resources), 'failed'), [node('Identifier', { name: L.words.error })]),
                  ),
                ),
              ],
            }),
          );
        }),
      );
      L.emit(node('LabeledStatement', { label: node('Identifier', { name: label }), body: loop }));
      L.emit(ifThen(member(L.ref(resources), 'hasError'), [throwing(member(L.ref(resources), 'error'))]));
    },
  );
}
