import { parseFragment, type DefaultTreeAdapterTypes } from 'parse5';

/** An element as a browser sees it: its name, its attributes, what is in it. A text is a string. */
export type Parsed = string | [name: string, attributes: Record<string, string>, ...children: Parsed[]];

/** What a browser without scripts makes of markup. */
export function parsed(markup: string): Parsed[] {
  return parseFragment(markup, { scriptingEnabled: false }).childNodes.flatMap(node);
}

function node(child: DefaultTreeAdapterTypes.ChildNode): Parsed[] {
  if ('value' in child) return [child.value];
  if (!('tagName' in child)) return [['#comment', {}]];
  const attributes = Object.fromEntries(child.attrs.map(({ name, value }) => [name, value]));
  const content = 'content' in child ? child.content : child;
  return [[child.tagName, attributes, ...content.childNodes.flatMap(node)]];
}
