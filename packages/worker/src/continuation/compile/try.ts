import { assign, binary, block, ifThen, labeled, lit, node, statement, throwing, undef, type Node } from './ast.ts';
import { jump } from './jumps.ts';
import type { Lowering, Target } from './lowering.ts';
import { native } from './native-statements.ts';
import { lowerPattern } from './patterns.ts';
import type { Variable } from './scope.ts';
import { enter, lowerList } from './statements.ts';

/** Code that a capture passes through without running `handler`; any other throw runs it. */
export function guarded(L: Lowering, guard: 'catch' | 'finally', make: () => void, handler: Node[]): Node {
  L.tryDepth++;
  try {
    return node('TryStep', { block: L.collect(make), guard, handler });
  } finally {
    L.tryDepth--;
  }
}

/** `try` keeps its native form; what follows a throw, and every `finally`, stands after it. */
export function lowerTry(L: Lowering, n: Node): void {
  if (!n['finalizer']) {
    lowerCatch(L, n);
    return;
  }
  lowerFinally(
    L,
    () => {
      if (n['handler']) lowerCatch(L, n);
      else lowerBlock(L, n['block']);
    },
    () => lowerFinalizer(L, n['finalizer']),
  );
}

const lowerFinalizer = (L: Lowering, n: Node): void =>
  L.scoped(() => (n.$awaits ? lowerList(L, n['body'], n.$scope) : L.emit(...native(L, n, []))));
const lowerBlock = lowerFinalizer;

/** Runs `protectedPart`, then `finalizer` whichever way it was left, then goes on that way. */
export function lowerFinally(
  L: Lowering,
  protectedPart: () => void,
  finalizer: (kind: Variable, value: Variable) => void,
): void {
  const kind = L.temp(),
    value = L.temp(),
    label = L.label();
  begin(L, kind, value);
  const completion = { kind, value, label },
    target: Target = { kind: 'finally', labels: [], isNative: false, exits: [], completion };
  const step = L.within(target, () => guarded(L, 'finally', protectedPart, L.caught(completion)));
  L.emit(labeled(label, block([step])));
  finalizer(kind, value);
  const when = (code: number, then: () => void): void =>
    L.emit(ifThen(binary('===', L.ref(kind), lit(code)), L.collect(then)));
  when(1, () => L.emit(throwing(L.ref(value))));
  when(2, () => jump(L, node('ReturnStatement', { argument: null }), L.ref(value)));
  target.exits!.forEach((exit, i) => when(i + 3, () => jump(L, exit)));
}

/** Nothing was thrown or returned yet. Else frames would keep what stood in the temporary before, and for longer than it is needed. */
function begin(L: Lowering, kind: Variable, value: Variable): void {
  L.set(kind, lit(0));
  L.set(value, undef());
}

function lowerCatch(L: Lowering, n: Node): void {
  const kind = L.temp(),
    value = L.temp(),
    handler = n['handler'] as Node;
  begin(L, kind, value);
  L.emit(guarded(L, 'catch', () => lowerBlock(L, n['block']), L.caught({ kind, value, label: '' })));
  L.emit(
    ifThen(
      binary('===', L.ref(kind), lit(1)),
      L.collect(() => {
        enter(L, handler.$scope!);
        if (handler['param']) {
          if (!handler['param'].$awaits) L.emit(statement(assign(handler['param'], L.ref(value))));
          else lowerPattern(L, handler['param'], L.ref(value), true);
        }
        lowerBlock(L, handler['body']);
      }),
    ),
  );
}
