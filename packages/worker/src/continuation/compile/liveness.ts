import { boundNames, eachChild, type Node } from './ast.ts';
import type { FunctionInfo, Variable } from './scope.ts';

/** A set of variables, as bits by their slot. */
type Live = bigint;

/**
 * For every await, which variables may still be read after it: those are what a frame keeps. The lowered statements are walked
 * backwards; loops until nothing changes. A compound statement without awaits counts as reading all it mentions.
 */
export function liveAtAwaits(
  fn: FunctionInfo,
  list: Node[],
  steps: Node[],
): { variables: Variable[]; live: number[][] } {
  const variables: Variable[] = [],
    atStep: Live[] = steps.map(() => 0n);
  const labels = new Map<string, { onBreak: Live; onContinue: Live }>();
  let onThrow: Live = 0n;

  const bit = (v: Variable): Live => {
    if (v.slot < 0) {
      v.slot = variables.length;
      variables.push(v);
    }
    return 1n << BigInt(v.slot);
  };
  const own = (v: Variable | null | undefined): v is Variable => !!v && v.isHoisted && v.scope.fn === fn;

  const cache = new Map<Node, Live>();
  function mentions(n: Node): Live {
    const known = cache.get(n);
    if (known !== undefined) return known;
    let out = 0n;
    if (n.type === 'Identifier') {
      const v = n.$ref?.variable;
      if (own(v)) out = bit(v);
    } else {
      if (n.$captures) for (const v of n.$captures) if (own(v)) out |= bit(v);
      eachChild(n, (c) => {
        out |= mentions(c);
      });
    }
    cache.set(n, out);
    return out;
  }

  /** What a plain assignment to the target makes dead. */
  function killed(target: Node | null): Live {
    if (!target) return 0n;
    let out = 0n;
    for (const n of target.type === 'Identifier' ? [target] : boundNames(target)) {
      const v = n.$ref?.variable;
      if (
        own(v) &&
        (n['$raw'] || !v.isBoxed || (n.$ref!.isInit && !v.isBoxedEarly)) &&
        !(v.needsCheck && !n.$ref!.isInit && !n['$raw'])
      )
        out |= bit(v);
    }
    return out;
  }
  /** What evaluating an assignment's target reads. */
  function targetReads(target: Node): Live {
    switch (target.type) {
      case 'Identifier':
        return killed(target) ? 0n : mentions(target);
      case 'ObjectPattern':
        return (target['properties'] as Node[]).reduce(
          (out, p) =>
            out |
            (p.type === 'RestElement'
              ? targetReads(p)
              : (p['computed'] ? mentions(p['key']) : 0n) | targetReads(p['value'])),
          0n,
        );
      case 'ArrayPattern':
        return (target['elements'] as (Node | null)[]).reduce((out, e) => (e ? out | targetReads(e) : out), 0n);
      case 'AssignmentPattern':
        return targetReads(target['left']) | mentions(target['right']);
      case 'RestElement':
        return targetReads(target['argument']);
      default:
        return mentions(target);
    }
  }

  function sequence(body: Node[], after: Live): Live {
    for (let i = body.length - 1; i >= 0; i--) after = statement(body[i]!, after);
    return after;
  }

  function statement(n: Node, after: Live): Live {
    switch (n.type) {
      case 'AwaitStep': {
        const resumed =
          (n['isTail'] ? 0n : after & ~killed(n['target'])) | (n['target'] ? targetReads(n['target']) : 0n) | onThrow;
        atStep[n['$pc'] - 1]! |= resumed;
        return resumed | mentions(n['argument']);
      }
      case 'ExpressionStatement': {
        const e = n['expression'] as Node;
        if (e.type === 'AssignmentExpression' && e['operator'] === '=') {
          const dead = killed(e['left']);
          return (after & ~dead) | targetReads(e['left']) | mentions(e['right']) | onThrow;
        }
        return after | mentions(e) | onThrow;
      }
      case 'ReturnStatement':
        return (n['argument'] ? mentions(n['argument']) : 0n) | onThrow;
      case 'ThrowStatement':
        return mentions(n['argument']) | onThrow;
      case 'BreakStatement':
        return (n['label'] ? labels.get(n['label'].name)?.onBreak : undefined) ?? after;
      case 'ContinueStatement':
        return (n['label'] ? labels.get(n['label'].name)?.onContinue : undefined) ?? after;
      case 'BlockStatement':
        return sequence(n['body'], after);
      case 'IfStatement': {
        const yes = statement(n['consequent'], after),
          no = n['alternate'] ? statement(n['alternate'], after) : after;
        return yes | no | mentions(n['test']) | onThrow;
      }
      case 'LabeledStatement': {
        const name = n['label'].name;
        labels.set(name, { onBreak: after, onContinue: after });
        return isLoop(n['body']) ? loop(n['body'], after, name) : statement(n['body'], after);
      }
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'ForStatement':
        return isLoop(n) ? loop(n, after, null) : after | mentions(n) | escapes(n) | onThrow;
      case 'TryStep': {
        const outer = onThrow,
          handler = sequence(n['handler'], after);
        onThrow = handler | outer;
        const before = sequence(n['block'], after);
        onThrow = outer;
        return before | handler;
      }
      case 'CaseStep': {
        let next = after,
          all = after | mentions(n['selector']);
        for (let i = n['lists'].length - 1; i >= 0; i--) all |= next = sequence(n['lists'][i], next);
        return all;
      }
      default:
        return after | mentions(n) | escapes(n) | onThrow;
    }
  }

  const isLoop = (n: Node): boolean =>
    !!n['$low'] && (n.type === 'WhileStatement' || n.type === 'DoWhileStatement' || n.type === 'ForStatement');

  /** Where jumps out of an untouched statement go on. */
  function escapes(n: Node): Live {
    let out = 0n;
    if ((n.type === 'BreakStatement' || n.type === 'ContinueStatement') && n['label']) {
      const target = labels.get(n['label'].name);
      if (target) out |= n.type === 'BreakStatement' ? target.onBreak : target.onContinue;
    }
    if (!/Expression$|^Literal|^Function|^Class/.test(n.type))
      eachChild(n, (c) => {
        out |= escapes(c);
      });
    return out;
  }

  function loop(n: Node, after: Live, name: string | null): Live {
    const test = n['test'] ? mentions(n['test']) : 0n,
      update = n['update'] ? mentions(n['update']) : 0n;
    let head = after | test | onThrow;
    for (;;) {
      const again = head | update;
      if (name) labels.set(name, { onBreak: after, onContinue: again });
      const next = head | statement(n['body'], again) | test;
      if (next === head) return head;
      head = next;
    }
  }

  sequence(list, 0n);
  return {
    variables,
    live: atStep.map((set) => variables.filter((v) => (set >> BigInt(v.slot)) & 1n).map((v) => v.slot)),
  };
}
