import type { Element } from 'domhandler';
import type { Control, ControlKind } from './controls.ts';
import type { CookieJar } from './cookie-jar.ts';
import { collapse, findAll, type PageElement, visibleText } from './document.ts';
import { Page } from './page.ts';
import { isOptionDisabled, optionValue, submission, type TabRequest } from './submission.ts';

/** A visitor can't do that on this page. */
export class VisitError extends Error {
  override readonly name = 'VisitError';
}

/** What every request of a tab brings along, and where it may go. */
export interface TabSite {
  readonly cookies: CookieJar;
  readonly headers: Readonly<Record<string, string>>;
  /** Requests to other origins are refused: a test does not leave its host. */
  readonly origins: ReadonlySet<string>;
}

/** What a visitor reads on a link, a button or beside a field; a string must be all of it. */
export type Label = string | RegExp;

const REDIRECTS_MAX_COUNT = 20;

interface Visit {
  request: TabRequest;
  page: Page;
}

/**
 * One tab of a browser without JavaScript. What is read off a page is the page as it stands now; what changes it is awaited.
 *
 * @example
 * ```ts
 * await using host = await testServlet('servlets/sum.ts');
 * const tab = await host.browse('/sum');
 * await tab.fill('First number:', 3).submit();
 * await tab.back();
 * ```
 */
export class Tab {
  readonly #site: TabSite;
  #history: Visit[];
  #at: number;
  /** The form of the control that was filled in last. */
  #form: Element | null = null;

  private constructor(site: TabSite, history: Visit[], at: number) {
    this.#site = site;
    this.#history = history;
    this.#at = at;
  }

  /** A new tab with the page at `url`. */
  static async open(site: TabSite, url: string): Promise<Tab> {
    const tab = new Tab(site, [], -1);
    await tab.#visit({ method: 'GET', url, body: null, contentType: null });
    return tab;
  }

  get page(): Page {
    return this.#present.page;
  }

  get url(): string {
    return this.page.url;
  }

  get status(): number {
    return this.page.status;
  }

  get title(): string {
    return this.page.title;
  }

  /** The text that a visitor sees, white space as one blank. */
  get text(): string {
    return this.page.text;
  }

  get cookies(): CookieJar {
    return this.#site.cookies;
  }

  query(selector: string): PageElement | null {
    return this.page.query(selector);
  }

  queryAll(selector: string): PageElement[] {
    return this.page.queryAll(selector);
  }

  // -- Going somewhere -----------------------------------------------------------------------------------------------

  /** As typed into the address bar; a path counts from the present page. */
  goto(url: string): Promise<this> {
    return this.#visit({ method: 'GET', url: new URL(url, this.url).href, body: null, contentType: null });
  }

  /** Follows a link, or presses a button that sends its form. @throws VisitError when there is none, or several */
  async click(label: Label): Promise<this> {
    const links = findAll(this.page.document, 'a[href], area[href]').filter((node) => matches(linkLabels(node), label));
    const buttons = this.#matching(label, 'submit');
    const [link] = links;
    const targets = new Set([...links.map((node) => node.attribs['href']), ...buttons]);
    if (targets.size === 0) throw this.#none('click', label, this.#clickable());
    if (targets.size > 1)
      throw new VisitError(`Cannot click ${shown(label)}: ${targets.size} links and buttons are called so`);
    if (link !== undefined) return this.goto(new URL(link.attribs['href'] as string, this.page.base).href);
    return this.#submit(buttons[0] as Control);
  }

  /**
   * Sends a form: by the button of that label; without one, the form that was filled in last, or the page's only one, by its first button.
   * @throws VisitError when there is none, or several
   */
  async submit(label?: Label): Promise<this> {
    if (label !== undefined) return this.#submit(this.#one('press', label, 'submit'));
    const forms = findAll(this.page.document, 'form');
    const form = this.#form ?? (forms.length === 1 ? (forms[0] as Element) : null);
    if (form === null)
      throw new VisitError(`Cannot submit: the page has ${forms.length} forms, and none was filled in`);
    const button = this.page.controls.find(
      (control) => control.kind === 'submit' && control.form === form && !control.isDisabled,
    );
    return this.#send(form, button ?? null);
  }

  /** The page before: as it was left, unless it may not be kept (`Cache-Control: no-store`): then it is asked for again. */
  back(): Promise<this> {
    return this.#travel(-1);
  }

  /** The page after. */
  forward(): Promise<this> {
    return this.#travel(1);
  }

  /** Asks for the present page again; a form that led to it is sent again. */
  async reload(): Promise<this> {
    this.#present.page = await this.#get(this.#present.request);
    this.#form = null;
    return this;
  }

  /** A second tab of the same visitor, with the same history and the present page, as it came. */
  duplicate(): Tab {
    const history = this.#history.map(({ request, page }) => ({ request, page: page.copy() }));
    return new Tab(this.#site, history, this.#at);
  }

  // -- Filling in ----------------------------------------------------------------------------------------------------

  /** Writes into a text field. */
  fill(label: Label, value: string | number): this {
    const control = this.#usable('fill', label, 'text');
    if ('readonly' in control.node.attribs) throw new VisitError(`Cannot fill ${shown(label)}: it is read only`);
    control.value = String(value);
    return this;
  }

  check(label: Label): this {
    this.#usable('check', label, 'checkbox').isChecked = true;
    return this;
  }

  uncheck(label: Label): this {
    this.#usable('uncheck', label, 'checkbox').isChecked = false;
    return this;
  }

  /** Chooses a radio button; the others of its group are let go. */
  choose(label: Label): this {
    const control = this.#usable('choose', label, 'radio');
    for (const other of this.page.controls)
      if (
        other.kind === 'radio' &&
        other.form === control.form &&
        (other === control || (other.name !== '' && other.name === control.name))
      )
        other.isChecked = other === control;
    return this;
  }

  /** Chooses in a list by what its options read; several where the list takes several. */
  select(label: Label, ...options: Label[]): this {
    const control = this.#usable('select in', label, 'select');
    if (options.length > 1 && !control.isMultiple)
      throw new VisitError(`Cannot select in ${shown(label)}: it takes one option`);
    const chosen = options.map((option) => {
      const found = control.options.filter((node) => matches([visibleText(node), optionValue(node)], option));
      const [node] = found;
      if (node === undefined || isOptionDisabled(node))
        throw this.#none(
          'select',
          option,
          control.options.map((other) => visibleText(other)),
        );
      return node;
    });
    control.chosen = new Set(chosen);
    return this;
  }

  /** Chooses files to send. */
  attach(label: Label, ...files: File[]): this {
    const control = this.#usable('attach to', label, 'file');
    if (files.length > 1 && !control.isMultiple)
      throw new VisitError(`Cannot attach to ${shown(label)}: it takes one file`);
    control.files = files;
    return this;
  }

  // ------------------------------------------------------------------------------------------------------------------

  get #present(): Visit {
    return this.#history[this.#at] as Visit;
  }

  #usable(action: string, label: Label, kind: ControlKind): Control {
    const control = this.#one(action, label, kind);
    if (control.isDisabled) throw new VisitError(`Cannot ${action} ${shown(label)}: it is disabled`);
    this.#form = control.form ?? this.#form;
    return control;
  }

  #one(action: string, label: Label, kind: ControlKind): Control {
    const found = this.#matching(label, kind);
    if (found.length === 1) return found[0] as Control;
    if (found.length > 1) throw new VisitError(`Cannot ${action} ${shown(label)}: ${found.length} are called so`);
    const others = this.page.controls.filter((control) => control.kind === kind);
    throw this.#none(
      action,
      label,
      others.map((control) => control.labels[0] ?? '(no label)'),
    );
  }

  /** Those that are called so by what a visitor sees; if none is, those that have the name in the form. */
  #matching(label: Label, kind: ControlKind): Control[] {
    const controls = this.page.controls.filter((control) => control.kind === kind);
    const seen = controls.filter((control) =>
      matches(
        control.labels.filter((text) => text !== control.name),
        label,
      ),
    );
    return seen.length > 0 ? seen : controls.filter((control) => matches(control.labels, label));
  }

  #clickable(): string[] {
    const links = findAll(this.page.document, 'a[href], area[href]').map((node) => linkLabels(node)[0] ?? '');
    const buttons = this.page.controls
      .filter((control) => control.kind === 'submit')
      .map((control) => control.labels[0] ?? '');
    return [...links, ...buttons];
  }

  #none(action: string, label: Label, there: readonly string[]): VisitError {
    const list = there.length === 0 ? 'nothing of the kind' : there.map((text) => JSON.stringify(text)).join(', ');
    return new VisitError(`Cannot ${action} ${shown(label)}: ${this.url} has ${list}`);
  }

  #submit(button: Control): Promise<this> {
    if (button.isDisabled)
      throw new VisitError(`Cannot press ${JSON.stringify(button.labels[0] ?? '')}: it is disabled`);
    if (button.form === null)
      throw new VisitError(`Cannot press ${JSON.stringify(button.labels[0] ?? '')}: it is in no form`);
    return this.#send(button.form, button);
  }

  #send(form: Element, button: Control | null): Promise<this> {
    return this.#visit(submission(form, this.page.controls, button, this.page.base, this.url));
  }

  async #visit(request: TabRequest): Promise<this> {
    const page = await this.#get(request);
    this.#history = [...this.#history.slice(0, this.#at + 1), { request, page }];
    this.#at++;
    this.#form = null;
    return this;
  }

  async #travel(by: number): Promise<this> {
    const visit = this.#history[this.#at + by];
    if (visit === undefined) throw new VisitError(`Cannot go ${by < 0 ? 'back' : 'forward'}: there is no page`);
    this.#at += by;
    this.#form = null;
    if (/\bno-store\b/i.test(visit.page.headers.get('cache-control') ?? '')) await this.reload();
    return this;
  }

  /** Follows redirections as browsers do. */
  async #get(request: TabRequest): Promise<Page> {
    let { method, url, body, contentType } = request;
    const { cookies, headers, origins } = this.#site;
    for (let count = 0; count <= REDIRECTS_MAX_COUNT; count += 1) {
      const target = new URL(url);
      if (!origins.has(target.origin)) throw new VisitError(`Cannot go to ${url}: it is another site`);
      const sent = new Headers({ accept: 'text/html,application/xhtml+xml,*/*;q=0.8', ...headers });
      const cookie = cookies.headerFor(target, Date.now());
      if (cookie !== '') sent.set('cookie', cookie);
      if (contentType !== null) sent.set('content-type', contentType);
      const response = await fetch(target, { method, body, headers: sent, redirect: 'manual' });
      cookies.receive(target, response.headers, Date.now());
      const location = response.headers.get('location');
      const { status } = response;
      if (location === null || ![301, 302, 303, 307, 308].includes(status))
        return new Page(url, status, response.headers, await response.text());
      await response.body?.cancel();
      url = new URL(location, target).href;
      if (status === 303 || (status < 303 && method === 'POST')) {
        method = 'GET';
        body = null;
        contentType = null;
      }
    }
    throw new VisitError(`Cannot go to ${request.url}: it redirects for ever`);
  }
}

function linkLabels(node: Element): string[] {
  const images = findAll(node, 'img[alt]').map((image) => collapse(image.attribs['alt'] ?? ''));
  return [
    collapse(node.attribs['aria-label'] ?? ''),
    visibleText(node),
    ...images,
    collapse(node.attribs['title'] ?? ''),
  ].filter((text) => text !== '');
}

/** A colon or a star at the end of a label need not be said. */
function matches(texts: readonly string[], label: Label): boolean {
  if (label instanceof RegExp) return texts.some((text) => label.test(text));
  return texts.some((text) => text === label || text.replace(/\s*[:*]+$/, '') === label);
}

function shown(label: Label): string {
  return typeof label === 'string' ? JSON.stringify(label) : String(label);
}
