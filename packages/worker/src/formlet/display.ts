import type { Html } from '../html/fragment.ts';
import { html } from '../http/html.ts';
import { toHtml, type Xexpr } from '../http/xexpr.ts';
import type { Entered } from './entered.ts';
import { shownInput } from './show-input.ts';
import { type AnyFormlet, type FormletNode, inputName, type TemplateNode } from './node.ts';
import type { Problems } from './process.ts';

/** How a form is shown. */
export interface DisplayOptions {
  /** What the visitor has entered before, and what was not right with it. An outcome of `read` has both. */
  entered?: Entered;
  problems?: Problems;
  /** Begins the ids of the inputs, where a page has several forms. */
  idPrefix?: string;
}

/** A form on its way to the page. */
export interface Showing extends DisplayOptions {
  /** The number of the next input. */
  next: number;
  /** The first input that is not right gets the focus. */
  isFocusGiven: boolean;
}

export function displayed(formlet: AnyFormlet, options: DisplayOptions): Html {
  const showing: Showing = { ...options, next: 0, isFocusGiven: false };
  return html`${shown(formlet.node, showing, false)}`;
}

/** What stands for a formlet in a template. `isRequired`: nothing would be a mistake. */
function shown(node: FormletNode, showing: Showing, isRequired: boolean): unknown {
  switch (node.kind) {
    case 'pure':
      return '';
    case 'shown':
      return node.value;
    case 'input': {
      const name = inputName(showing.next);
      showing.next += 1;
      return shownInput(node.input, name, isRequired, showing);
    }
    case 'cross':
    case 'list':
    case 'record':
      return node.parts.map((part) => shown(part.node, showing, false));
    case 'template':
      return shownTemplate(node, showing);
    case 'tag':
      return toHtml([node.tag, node.attributes, html`${shown(node.inner.node, showing, isRequired)}`] as Xexpr);
    case 'default':
      return shown(node.inner.node, showing, false);
    case 'required':
      return shown(node.inner.node, showing, true);
    case 'map':
    case 'check':
    case 'validate':
    case 'convert':
      return shown(node.inner.node, showing, isRequired);
  }
}

function shownTemplate({ strings, parts, values }: TemplateNode, showing: Showing): Html {
  const holes = parts.map((part, index) => (part === null ? values[index] : shown(part.node, showing, false)));
  return html(strings as unknown as TemplateStringsArray, ...holes);
}
