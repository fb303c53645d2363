import type { Document } from 'domhandler';
import { escapeHtml } from '../http/error-page.ts';
import { type Control, controlsOf } from './controls.ts';
import { findFirst, PageElement, parseDocument, findAll, visibleText } from './document.ts';

/** A page as a visitor got it, with what was filled in since. */
export class Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  /** The body as it came. */
  readonly source: string;
  #document: Document | null = null;
  #controls: Control[] | null = null;

  constructor(url: string, status: number, headers: Headers, source: string) {
    this.url = url;
    this.status = status;
    this.headers = headers;
    this.source = source;
  }

  get document(): Document {
    this.#document ??= parseDocument(this.#isMarkup ? this.source : `<pre>\n${escapeHtml(this.source)}</pre>`);
    return this.#document;
  }

  get controls(): readonly Control[] {
    this.#controls ??= controlsOf(this.document);
    return this.#controls;
  }

  /** The text that a visitor sees, white space as one blank; of what is no markup, such as JSON, all of it as it came. */
  get text(): string {
    return this.#isMarkup ? visibleText(this.document) : this.source;
  }

  get title(): string {
    const node = findFirst(this.document, 'title');
    return node === null ? '' : visibleText(node);
  }

  /** What links on this page count from. */
  get base(): URL {
    const href = findFirst(this.document, 'base[href]')?.attribs['href'];
    return href !== undefined && URL.canParse(href, this.url) ? new URL(href, this.url) : new URL(this.url);
  }

  /** The first element that a CSS selector matches. */
  query(selector: string): PageElement | null {
    const node = findFirst(this.document, selector);
    return node === null ? null : new PageElement(node);
  }

  /** Every element that a CSS selector matches, in order. */
  queryAll(selector: string): PageElement[] {
    return findAll(this.document, selector).map((node) => new PageElement(node));
  }

  /** Browsers show everything else as text. */
  get #isMarkup(): boolean {
    const type = this.headers.get('content-type');
    return type === null || /\b(?:html|xml)\b/i.test(type);
  }

  /** The same page as it came, with nothing filled in. */
  copy(): Page {
    return new Page(this.url, this.status, this.headers, this.source);
  }
}
