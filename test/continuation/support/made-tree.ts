import type { Node } from '../../../packages/worker/src/continuation/compile/ast.ts';

/** Kinds that no pass makes anew, nor anything in them. */
const KEPT = /^(?:Literal|Super|MetaProperty|TemplateElement|Import(?!Expression)\w+|Export(?:All\w+|Specifier))$/;

const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string';

/**
 * A copy of a parsed tree in which some nodes are plain objects, as those are that a pass of the compiler makes: any that `isMade`
 * chooses, and whatever stands around them.
 */
export function madeAnew(n: Node, isMade: () => boolean): Node {
  const isKept = KEPT.test(n.type) || (n.type === 'ExportNamedDeclaration' && !n['declaration']);
  if (isKept) return n;
  let copy: Node | null = null;
  for (const [key, value] of Object.entries(n)) {
    const anew = Array.isArray(value)
      ? value.map((each) => (isNode(each) ? madeAnew(each, isMade) : (each as unknown)))
      : isNode(value)
        ? madeAnew(value, isMade)
        : value;
    const isSame = Array.isArray(value) ? value.every((each, i) => each === anew[i]) : anew === value;
    if (!isSame) (copy ??= { ...n })[key] = anew;
  }
  // A directive is a statement as its author wrote it.
  return copy ?? (n['directive'] || !isMade() ? n : { ...n });
}

/** Where two trees differ in anything but positions and spelling, or null. */
export function difference(a: unknown, b: unknown, path = ''): string | null {
  if (a === b || (a instanceof RegExp && b instanceof RegExp && String(a) === String(b))) return null;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return `${path}: ${String(a)} became ${String(b)}`;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (key === 'start' || key === 'end' || (key === 'raw' && !('cooked' in a))) continue;
    const found = difference((a as Node)[key], (b as Node)[key], `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}
