import type { Entered } from './entered.ts';
import type { InputNode } from './input-node.ts';

/** What an input came to, or why it can't be. */
export type ReadInput = { value: unknown } | { problem: string };

const NOT_OFFERED: ReadInput = { problem: 'This is not one of the choices.' };

/** What a visitor has sent for an input: null, or an empty list, for nothing. */
export function readInput(input: InputNode, name: string, { texts, files }: Entered): ReadInput {
  const sent = texts.get(name) ?? [];
  switch (input.type) {
    case 'field':
    case 'textarea':
    case 'box':
    case 'button':
      return { value: sent[0] ?? null };
    case 'file':
      return { value: files.get(name)?.[0] ?? null };
    case 'custom':
      return { value: input.isList ? [...sent] : (sent[0] ?? null) };
    case 'choice': {
      const chosen = sent.map((text) => (/^\d{1,9}$/.test(text) ? Number(text) : NaN));
      if (chosen.some((index) => !(index < input.items.length))) return NOT_OFFERED;
      const items = chosen.map((index) => input.items[index]);
      return { value: input.isMultiple ? items : (items[0] ?? null) };
    }
  }
}
