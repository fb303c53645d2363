import { selectAll, selectOne } from 'css-select';
import { type AnyNode, type Document, type Element, isTag, isText } from 'domhandler';
import { parse } from 'parse5';
import { adapter } from 'parse5-htmlparser2-tree-adapter';

/** An element of a page that was got. */
export class PageElement {
  /** The parser's own node. */
  readonly node: Element;

  constructor(node: Element) {
    this.node = node;
  }

  /** The tag's name, in lower case. */
  get tag(): string {
    return this.node.name;
  }

  attribute(name: string): string | undefined {
    return this.node.attribs[name];
  }

  /** The text that a visitor sees, white space as one blank. */
  get text(): string {
    return visibleText(this.node);
  }

  /** The first element in it that a CSS selector matches. */
  query(selector: string): PageElement | null {
    return wrapped(selectOne(selector, this.node.children) as Element | null);
  }

  /** Every element in it that a CSS selector matches, in order. */
  queryAll(selector: string): PageElement[] {
    return (selectAll(selector, this.node.children) as Element[]).map((node) => new PageElement(node));
  }
}

/** The document of a page, as a browser without JavaScript reads it. */
export function parseDocument(html: string): Document {
  // Without scripts, what stands in noscript is shown.
  return parse(html, { treeAdapter: adapter, scriptingEnabled: false });
}

export function findAll(root: Document | Element, selector: string): Element[] {
  return selectAll(selector, root.children) as Element[];
}

export function findFirst(root: Document | Element, selector: string): Element | null {
  return selectOne(selector, root.children) as Element | null;
}

function wrapped(node: Element | null): PageElement | null {
  return node === null ? null : new PageElement(node);
}

const UNSEEN: ReadonlySet<string> = new Set('head script style template datalist'.split(' '));
/** What stands in a line with its neighbours; everything else begins one. */
const INLINE: ReadonlySet<string> = new Set(
  'a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strong sub sup time tt u var wbr'.split(
    ' ',
  ),
);

/** The text that a visitor sees, white space as one blank. `but`: nodes that are left out. */
export function visibleText(node: AnyNode | Document, but: (node: Element) => boolean = () => false): string {
  return collapse(gather(node, but));
}

function gather(node: AnyNode | Document, but: (node: Element) => boolean): string {
  if (isText(node)) return node.data;
  if (isTag(node)) {
    if (UNSEEN.has(node.name) || 'hidden' in node.attribs || but(node)) return '';
    const text = node.children.map((child) => gather(child, but)).join('');
    return INLINE.has(node.name) ? text : ` ${text} `;
  }
  return 'children' in node ? node.children.map((child) => gather(child, but)).join('') : '';
}

/** White space as HTML collapses it. */
export function collapse(text: string): string {
  return text.replace(/[ \t\n\f\r]+/g, ' ').trim();
}
