import {
  assign,
  breakTo,
  call,
  id,
  lit,
  mayBePromise,
  member,
  node,
  returning,
  statement,
  undef,
  type Node,
} from './ast.ts';
import type { Lowering, Target } from './lowering.ts';

/** `break`, `continue` or `return` from where the lowering stands: closes iterators on the way, and stops at each `finally`. */
export function jump(L: Lowering, n: Node, value: Node | null = null): void {
  let result = value;
  if (result && L.targets.some((t) => t.close || t.kind === 'finally')) {
    const t = L.temp();
    L.set(t, result);
    result = L.ref(t);
  }
  for (let i = L.targets.length - 1; i >= 0; i--) {
    const t = L.targets[i]!;
    if (t.kind === 'finally') {
      L.emit(...leaveThrough(L, t, n, result));
      return;
    }
    if (reaches(t, n)) {
      if (n.type === 'BreakStatement') withoutTargets(L, i, () => t.close?.(L));
      if (t.isNative) L.emit(n);
      else if (n.type === 'BreakStatement') L.breakTo((t.breakLabel ??= L.label()));
      else if (t.hasOwnContinue) L.breakTo((t.continueLabel ??= L.label()));
      else L.emit(node('ContinueStatement', { label: id((t.breakLabel ??= L.label())) }, n));
      return;
    }
    withoutTargets(L, i, () => t.close?.(L));
  }
  L.emit(
    returning(
      result && (n['argument'] ? mayBePromise(n['argument']) : true)
        ? call(member(id(L.words.frame), 'forward'), [result])
        : result,
    ),
  );
}

/** Closing an iterator may itself await; what it emits stands outside the loops that are being left. */
function withoutTargets(L: Lowering, from: number, body: () => void): void {
  const targets = L.targets;
  L.targets = targets.slice(0, from);
  try {
    body();
  } finally {
    L.targets = targets;
  }
}

function reaches(t: Target, n: Node): boolean {
  if (n.type === 'ReturnStatement') return false;
  if (n['label']) return t.labels.includes(n['label'].name);
  return t.kind === 'loop' || (t.kind === 'switch' && n.type === 'BreakStatement');
}

function leaveThrough(L: Lowering, t: Target, n: Node, value: Node | null): Node[] {
  const { kind, value: kept, label } = t.completion!;
  if (n.type === 'ReturnStatement') {
    return [statement(assign(L.ref(kept), value ?? undef())), statement(assign(L.ref(kind), lit(2))), breakTo(label)];
  }
  const exits = t.exits!;
  let at = exits.findIndex((e) => e.type === n.type && e['label']?.name === n['label']?.name);
  if (at < 0) at = exits.push(n) - 1;
  return [statement(assign(L.ref(kind), lit(at + 3))), breakTo(label)];
}
