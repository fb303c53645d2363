import type { Document, Element } from 'domhandler';
import { collapse, findAll, visibleText } from './document.ts';

/** What a visitor may fill in, check or press. */
const CONTROLS = 'input, textarea, select, button';
const CONTROL_TAGS: ReadonlySet<string> = new Set(CONTROLS.split(', '));
export type ControlKind = 'text' | 'checkbox' | 'radio' | 'select' | 'file' | 'submit' | 'hidden' | 'none';

/** A control of a page, and what the visitor has made of it. */
export class Control {
  readonly node: Element;
  readonly kind: ControlKind;
  /** Of a text. */
  value: string;
  /** Of a checkbox or radio button. */
  isChecked: boolean;
  /** Of a select. */
  chosen: Set<Element>;
  files: File[] = [];
  readonly #document: Document;

  constructor(node: Element, document: Document) {
    this.node = node;
    this.#document = document;
    this.kind = kindOf(node);
    this.value = node.name === 'textarea' ? rawText(node).replace(/^\n/, '') : (node.attribs['value'] ?? '');
    this.isChecked = 'checked' in node.attribs;
    this.chosen = new Set(node.name === 'select' ? initiallyChosen(this) : []);
  }

  get name(): string {
    return this.node.attribs['name'] ?? '';
  }

  get options(): Element[] {
    return findAll(this.node, 'option');
  }

  get isMultiple(): boolean {
    return 'multiple' in this.node.attribs;
  }

  /** It, a fieldset around it (but not by whose first legend it stands), is disabled. */
  get isDisabled(): boolean {
    if ('disabled' in this.node.attribs) return true;
    for (
      let child: Element = this.node, parent = elementParent(child);
      parent !== null;
      child = parent, parent = elementParent(child)
    ) {
      if (parent.name !== 'fieldset' || !('disabled' in parent.attribs)) continue;
      const firstLegend = parent.children.find((node) => 'name' in node && node.name === 'legend');
      if (firstLegend !== child) return true;
    }
    return false;
  }

  /** The form that it belongs to. */
  get form(): Element | null {
    const id = this.node.attribs['form'];
    if (id !== undefined) return findAll(this.#document, 'form').find((form) => form.attribs['id'] === id) ?? null;
    let parent = elementParent(this.node);
    while (parent !== null && parent.name !== 'form') parent = elementParent(parent);
    return parent;
  }

  /** What a visitor may call it, the best names first. */
  get labels(): string[] {
    const { attribs } = this.node;
    const found: string[] = [];
    for (const id of (attribs['aria-labelledby'] ?? '').split(/\s+/).filter(Boolean)) {
      const labelling = findAll(this.#document, '[id]').find((node) => node.attribs['id'] === id);
      if (labelling !== undefined) found.push(visibleText(labelling));
    }
    found.push(collapse(attribs['aria-label'] ?? ''));
    for (const label of findAll(this.#document, 'label'))
      if (labels(label, this.node)) found.push(visibleText(label, (node) => CONTROL_TAGS.has(node.name)));
    if (this.node.name === 'button') found.push(visibleText(this.node) || altOf(this.node));
    if (this.kind === 'submit' && this.node.name === 'input')
      found.push(collapse(attribs['value'] ?? ''), collapse(attribs['alt'] ?? ''), this.#defaultLabel());
    found.push(collapse(attribs['placeholder'] ?? ''), collapse(attribs['title'] ?? ''), this.name);
    return found.filter((label) => label !== '');
  }

  #defaultLabel(): string {
    return 'value' in this.node.attribs ? '' : 'Submit';
  }
}

/** Every control of a page, in order. */
export function controlsOf(document: Document): Control[] {
  return findAll(document, CONTROLS).map((node) => new Control(node, document));
}

function kindOf({ name, attribs }: Element): ControlKind {
  const type = (attribs['type'] ?? '').toLowerCase();
  switch (name) {
    case 'textarea':
      return 'text';
    case 'select':
      return 'select';
    case 'button':
      return type === 'button' || type === 'reset' ? 'none' : 'submit';
    default:
      if (type === 'checkbox' || type === 'radio' || type === 'file' || type === 'hidden' || type === 'submit')
        return type;
      if (type === 'image') return 'submit';
      if (type === 'button' || type === 'reset') return 'none';
      // A type that is unknown is a text, too.
      return 'text';
  }
}

function initiallyChosen(control: Control): Element[] {
  const marked = control.options.filter((option) => 'selected' in option.attribs);
  if (control.isMultiple) return marked;
  // One of a list that shows a single line is always chosen.
  const usable = control.options.find((option) => !('disabled' in option.attribs));
  const isLine = Number(control.node.attribs['size'] ?? 1) <= 1;
  const chosen = marked.at(-1) ?? (isLine ? usable : undefined);
  return chosen === undefined ? [] : [chosen];
}

function labels(label: Element, control: Element): boolean {
  const id = label.attribs['for'];
  if (id !== undefined) return id === control.attribs['id'];
  return findAll(label, CONTROLS)[0] === control;
}

function altOf(node: Element): string {
  return findAll(node, 'img[alt]')
    .map((image) => collapse(image.attribs['alt'] ?? ''))
    .join(' ');
}

function elementParent(node: Element): Element | null {
  return node.parent !== null && 'attribs' in node.parent ? node.parent : null;
}

function rawText(node: Element): string {
  return node.children.map((child) => ('data' in child ? child.data : '')).join('');
}
