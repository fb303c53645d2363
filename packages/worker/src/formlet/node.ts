import type { InputNode } from './input-node.ts';
import type { StandardSchema } from './standard-schema.ts';

/** A formlet, whatever it comes to. */
export interface AnyFormlet {
  readonly node: FormletNode;
}

/** What a formlet is made of: data, so that one can be saved with a page as other values can. */
export type FormletNode =
  | { kind: 'pure'; value: unknown }
  /** Is displayed, and comes to the function that gives back what it is given. */
  | { kind: 'shown'; value: unknown }
  | { kind: 'input'; input: InputNode }
  /** The first comes to a function, which gets what the others come to. */
  | { kind: 'cross'; parts: readonly AnyFormlet[] }
  | { kind: 'list'; parts: readonly AnyFormlet[] }
  | { kind: 'record'; names: readonly string[]; parts: readonly AnyFormlet[] }
  | TemplateNode
  | { kind: 'tag'; tag: string; attributes: Readonly<Record<string, string>>; inner: AnyFormlet }
  | RefinedNode;

export interface TemplateNode {
  kind: 'template';
  strings: readonly string[];
  /** null: at this place stands a value, which is shown. */
  parts: readonly (AnyFormlet | null)[];
  values: readonly unknown[];
  /** Its result is made of those parts that are records; else it is the list of all results. */
  isRecord: boolean;
}

/** What looks at the result of another formlet, and changes or refuses it. */
export type RefinedNode =
  | { kind: 'map'; inner: AnyFormlet; change: (value: never) => unknown }
  | {
      kind: 'check';
      inner: AnyFormlet;
      isGood: (value: never) => unknown;
      message: string;
      path: readonly PropertyKey[];
    }
  | { kind: 'validate'; inner: AnyFormlet; schema: StandardSchema }
  | { kind: 'required'; inner: AnyFormlet; message: string }
  | { kind: 'default'; inner: AnyFormlet; value: unknown }
  | { kind: 'convert'; inner: AnyFormlet; to: Conversion; message: string };

export type Conversion = 'number' | 'integer' | 'boolean' | 'trimmed';

/** The formlets that stand in one, in the order in which they are displayed. */
export function partsOf(node: FormletNode): readonly AnyFormlet[] {
  switch (node.kind) {
    case 'pure':
    case 'shown':
    case 'input':
      return NONE;
    case 'cross':
    case 'list':
    case 'record':
      return node.parts;
    case 'template':
      return node.parts.filter((part) => part !== null);
    case 'tag':
    case 'map':
    case 'check':
    case 'validate':
    case 'required':
    case 'default':
    case 'convert':
      return [node.inner];
  }
}

const NONE: readonly AnyFormlet[] = [];
const counts = new WeakMap<FormletNode, number>();

/** How many names the inputs of a formlet take. */
export function inputCount(node: FormletNode): number {
  if (node.kind === 'input') return 1;
  let count = counts.get(node);
  if (count === undefined) {
    count = partsOf(node).reduce((sum, part) => sum + inputCount(part.node), 0);
    counts.set(node, count);
  }
  return count;
}

/** The name of the n-th input of a form, from 0. */
export function inputName(index: number): string {
  return `input_${index}`;
}

/** The input that a path into the result leads to, by its number; else the first of the last part that it leads to. */
export function inputAt(formlet: AnyFormlet, first: number, path: readonly PropertyKey[]): number {
  let node = formlet.node;
  let at = first;
  let step = 0;
  for (;;) {
    const parts = partsOf(node);
    if (node.kind === 'list' || node.kind === 'record' || (node.kind === 'template' && !node.isRecord)) {
      const key = path[step];
      const index = node.kind === 'record' ? node.names.indexOf(String(key)) : indexOf(key, parts.length);
      if (step === path.length || index === -1) return at;
      at = startOf(parts, index, at);
      node = (parts[index] as AnyFormlet).node;
      step += 1;
    } else if (node.kind === 'template') {
      const key = path[step];
      const index = parts.findIndex((part) => part.node.kind === 'record' && part.node.names.includes(String(key)));
      if (step === path.length || index === -1) return at;
      at = startOf(parts, index, at);
      node = (parts[index] as AnyFormlet).node;
    } else if (parts.length === 1) node = (parts[0] as AnyFormlet).node;
    else return at;
  }
}

function indexOf(key: PropertyKey | undefined, length: number): number {
  const index = typeof key === 'symbol' ? -1 : Number(key ?? -1);
  return Number.isInteger(index) && index >= 0 && index < length ? index : -1;
}

function startOf(parts: readonly AnyFormlet[], index: number, first: number): number {
  return parts.slice(0, index).reduce((at, part) => at + inputCount(part.node), first);
}
