import * as fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import { attributes } from '../html/attributes.ts';
import type { Html } from '../html/fragment.ts';
import { planOf } from '../html/plan.ts';
import { show } from '../html/show.ts';
import { html, raw, scriptValue } from '../http/html.ts';
import { toHtml } from '../http/xexpr.ts';
import { besideServlet } from '../servlet/beside.ts';
import {
  lineOf,
  TemplateError,
  type TemplateKind,
  type TemplateSource,
  templateSource,
  compiled,
} from './template-source.ts';

/**
 * A page in a file of its own, with expressions in it (of TypeScript in a trusted servlet, of JavaScript in a guest): `<h1>${title}</h1>`. Its values are shown as those of
 * {@link html}: escaped by where they stand. The names in it are those of the values that it is given; besides, `html`, `raw`,
 * `attributes`, `scriptValue` and `toHtml` are there, and `include(path, values)`, which fills in another template beside this
 * one. `\${` is written as `${`.
 *
 * The file is read at once, so that a mistake in it is found when the servlet is loaded, and again when it has changed.
 *
 * @param path from the servlet's own directory; a URL for files elsewhere: `new URL('page.html', import.meta.url)`
 * @throws TemplateError, which names the line
 * @see Racket `include-template`
 *
 * @example
 * ```ts
 * interface Clients {
 *   clients: { name: string; city: string }[];
 * }
 * function listed(request: ServletRequest) {
 *   // clients.html: <ul>${clients.map((client) => html`<li>${client.name}, ${client.city}</li>`)}</ul>
 *   return template<Clients>('clients.html')({ clients: [{ name: 'Young', city: 'Nauvoo' }] });
 * }
 * ```
 */
export function template<Values extends object = Record<string, unknown>>(
  path: string | URL,
): (values: Values) => Html {
  const file = fileAt(besideServlet(path), 'html');
  return (values) => file.fill(values) as Html;
}

/**
 * The same for texts that are no HTML, such as a letter: values go in as they are, and the result is a string.
 * @throws TemplateError, which names the line
 * @see Racket `include-template`
 *
 * @example
 * ```ts
 * // letter.txt: Dear ${name}, you owe ${sum} €.
 * function letter(name: string, sum: number): string {
 *   return textTemplate('letter.txt')({ name, sum });
 * }
 * ```
 */
export function textTemplate<Values extends object = Record<string, unknown>>(
  path: string | URL,
): (values: Values) => string {
  const file = fileAt(besideServlet(path), 'text');
  return (values) => file.fill(values) as string;
}

/** By kind and path: two templates of one file are compiled once. */
const files = new Map<string, TemplateFile>();

function fileAt(path: string, kind: TemplateKind): TemplateFile {
  const key = `${kind} ${path}`;
  let file = files.get(key);
  if (file === undefined) files.set(key, (file = new TemplateFile(path, kind)));
  file.refresh();
  return file;
}

type Fill = (...values: unknown[]) => Html | string;

const HELPERS: Readonly<Record<string, unknown>> = { html, raw, attributes, scriptValue, toHtml };

class TemplateFile {
  readonly #path: string;
  readonly #kind: TemplateKind;
  readonly #helpers: Readonly<Record<string, unknown>>;
  #version = '';
  #source: TemplateSource = { body: '', text: '', expressions: [] };
  /** By the names of the values. */
  #compiled = new Map<string, Fill>();

  constructor(path: string, kind: TemplateKind) {
    this.#path = path;
    this.#kind = kind;
    const include = (other: string, values: object = {}): unknown =>
      fileAt(resolve(dirname(path), other), kind).fill(values);
    this.#helpers = { ...HELPERS, include };
  }

  /** Reads the file if it has changed. */
  refresh(): void {
    let text: string;
    try {
      const { mtimeMs, size, ino } = fs.statSync(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version === this.#version) return;
      // Editors of Windows put a byte order mark in front, which is no text of the page.
      text = fs.readFileSync(this.#path, 'utf8').replace(/^\ufeff/, '');
      this.#version = version;
    } catch (cause) {
      this.#version = '';
      const isForbidden = (cause as { code?: unknown }).code === 'ERR_ACCESS_DENIED';
      const why = isForbidden ? 'a guest may read its own directory only' : (cause as Error).message;
      throw new TemplateError(this.#path, why, null, cause);
    }
    try {
      this.#source = templateSource(this.#path, text, this.#kind);
      this.#compiled = new Map();
    } catch (error) {
      this.#version = '';
      throw error;
    }
  }

  fill(values: object): Html | string {
    this.refresh();
    const names = Object.keys(values);
    const key = names.join();
    let fill = this.#compiled.get(key);
    if (fill === undefined) this.#compiled.set(key, (fill = this.#compile(names)));
    return fill(...Object.values(values));
  }

  /** Its errors are of a value of this very template: those of nested ones come before it is called. */
  readonly #html = (strings: TemplateStringsArray, ...values: unknown[]): Html => {
    try {
      return html(strings, ...values);
    } catch (error) {
      const offset = this.#source.expressions[faultyHole(strings, values)]?.offset;
      if (offset !== undefined)
        Object.assign(error as object, { place: { file: this.#path, ...lineOf(this.#source.text, offset) } });
      throw error;
    }
  };

  #compile(names: readonly string[]): Fill {
    for (const name of names)
      if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name))
        throw new TemplateError(
          this.#path,
          `a value has the name ${JSON.stringify(name)}, which no variable can have`,
          null,
        );
    // A value goes before a helper of its name.
    const helpers = Object.keys(this.#helpers).filter((name) => !names.includes(name));
    try {
      const fill = compiled(this.#source.body, ['$fill', ...helpers, ...names], this.#path) as Fill;
      const given = [this.#kind === 'html' ? this.#html : joinedText, ...helpers.map((name) => this.#helpers[name])];
      return (...values) => fill(...given, ...values);
    } catch (cause) {
      throw new TemplateError(this.#path, `it can't be compiled: ${(cause as Error).message}`, null, cause);
    }
  }
}

function faultyHole(strings: TemplateStringsArray, values: readonly unknown[]): number {
  const plan = planOf(strings);
  return values.findIndex((_value, index) => {
    try {
      show(plan, values, index);
      return false;
    } catch {
      return true;
    }
  });
}

/** The tag of a text's template: lists are joined, and null, undefined and false show nothing. */
function joinedText(strings: TemplateStringsArray, ...values: unknown[]): string {
  return strings.reduce((text, own, index) => text + shownText(values[index - 1]) + own);
}

function shownText(value: unknown): string {
  if (value === null || value === undefined || value === false) return '';
  return Array.isArray(value) ? value.map(shownText).join('') : String(value as string | number);
}
