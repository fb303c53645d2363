import type { InputNode } from './input-node.ts';
import { type FormletNode, inputCount, inputName, partsOf } from './node.ts';

type Of<Kind extends FormletNode['kind']> = Extract<FormletNode, { kind: Kind }>;

/** What calls code of the author, which may take its time. */
export type CallNode = Of<'map' | 'check' | 'validate' | 'cross'>;
/** What changes a result, or refuses it, by itself. */
export type AdjustNode = Of<'required' | 'default' | 'convert'>;

/** One step of reading a form: takes results of the steps before it, and leaves one. */
export type Step =
  | { step: 'value'; value: unknown }
  | { step: 'input'; input: InputNode; name: string }
  /** Makes one of the last ones. */
  | { step: 'list'; count: number }
  | { step: 'record'; names: readonly string[] }
  | { step: 'merge'; isRecord: readonly boolean[] }
  /** `first`: the number of the first input that the result is made of. */
  | { step: 'adjust'; node: AdjustNode; first: number }
  | { step: 'call'; node: CallNode; first: number };

const known = new WeakMap<FormletNode, readonly Step[]>();

/** A formlet as steps, its parts first: so that what waits in the middle of them is no more than a number and some results. */
export function stepsOf(node: FormletNode): readonly Step[] {
  let steps = known.get(node);
  if (steps === undefined) {
    const made: Step[] = [];
    addSteps(node, 0, made);
    known.set(node, (steps = made));
  }
  return steps;
}

const identity = (value: unknown): unknown => value;

function addSteps(node: FormletNode, first: number, steps: Step[]): void {
  let at = first;
  for (const part of partsOf(node)) {
    addSteps(part.node, at, steps);
    at += inputCount(part.node);
  }
  switch (node.kind) {
    case 'pure':
      steps.push({ step: 'value', value: node.value });
      return;
    case 'shown':
      steps.push({ step: 'value', value: identity });
      return;
    case 'input':
      steps.push({ step: 'input', input: node.input, name: inputName(first) });
      return;
    case 'list':
      steps.push({ step: 'list', count: node.parts.length });
      return;
    case 'record':
      steps.push({ step: 'record', names: node.names });
      return;
    case 'template': {
      const parts = partsOf(node);
      if (node.isRecord) steps.push({ step: 'merge', isRecord: parts.map((part) => part.node.kind === 'record') });
      else steps.push({ step: 'list', count: parts.length });
      return;
    }
    case 'cross':
      steps.push({ step: 'list', count: node.parts.length }, { step: 'call', node, first });
      return;
    case 'tag':
      return;
    case 'map':
    case 'check':
    case 'validate':
      steps.push({ step: 'call', node, first });
      return;
    case 'required':
    case 'default':
    case 'convert':
      steps.push({ step: 'adjust', node, first });
  }
}
