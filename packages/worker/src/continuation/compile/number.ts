import { eachChild, isFunction, isClass, type Node } from './ast.ts';

/**
 * Numbers the awaits of a lowered function in the order of emission, from 1. Every statement that holds some gets `$low` and
 * `$high`, so that an activation that re-enters at a number finds its way down. @returns the awaits, by number - 1
 */
export function numberAwaits(list: Node[]): Node[] {
  const steps: Node[] = [];
  const visit = (n: Node): void => {
    if (isFunction(n) || isClass(n)) return;
    const before = steps.length;
    if (n.type === 'AwaitStep') {
      steps.push(n);
      n['$pc'] = steps.length;
    } else if (n.type === 'TryStep') n['block'].forEach(visit);
    else if (n.type === 'CaseStep') for (const l of n['lists']) l.forEach(visit);
    else if (
      n.type === 'IfStatement' ||
      n.type === 'LabeledStatement' ||
      n.type === 'BlockStatement' ||
      n.type.endsWith('WhileStatement') ||
      n.type === 'ForStatement'
    ) {
      eachChild(n, (child) => {
        if (child.type.endsWith('Statement') || child.type.endsWith('Step')) visit(child);
      });
    }
    if (steps.length > before) {
      n['$low'] = before + 1;
      n['$high'] = steps.length;
    }
  };
  list.forEach(visit);
  return steps;
}

/** The first and last number in a list, or null. */
export function rangeOf(list: Node[]): { low: number; high: number } | null {
  let low = 0,
    high = 0;
  for (const n of list)
    if (n['$low']) {
      low ||= n['$low'];
      high = n['$high'];
    }
  return low ? { low, high } : null;
}
