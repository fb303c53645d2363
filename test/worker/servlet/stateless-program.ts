import { randomBytes } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import type { Reply } from '../../../packages/worker/src/http/reply.ts';
import { ServletRequest } from '../../../packages/worker/src/http/request.ts';
import { createThresholdLruManager } from '../../../packages/worker/src/manager/threshold-lru.ts';
import type { Servlet } from '../../../packages/worker/src/servlet/servlet.ts';
import { StatelessServlet } from '../../../packages/worker/src/servlet/stateless-servlet.ts';
import { useKeys } from '../../../packages/worker/src/stuffer/seal-stuffer.ts';
import type { SealKey } from '../../../packages/worker/src/stuffer/seal.ts';
import { writeProgram } from '../../continuation/support/saved-program.ts';

const LIBRARY = new URL('../../../packages/worker/src/index.ts', import.meta.url).href;

export const newKey = (id = 1): SealKey => ({ id, secret: randomBytes(64) });

export interface AskedWith {
  headers?: readonly string[];
  /** A urlencoded body, by POST. */
  form?: Readonly<Record<string, string>>;
}

/** A stateless servlet written as a string, compiled and run in this thread; each one as if in a thread of its own. */
export class StatelessProgram {
  readonly file: string;
  readonly name: string;
  readonly exports: Record<string, unknown>;
  readonly #servlet: StatelessServlet;

  private constructor(file: string, name: string, exports: Record<string, unknown>, place: string) {
    this.file = file;
    this.name = name;
    this.exports = exports;
    const servlet: Servlet = {
      kind: 'servlet',
      limits: {},
      takesRawBody: false,
      persistence: 'stateless',
      handle: exports['default'] as Servlet['handle'],
      stuffer: exports['stuffer'] as Servlet['stuffer'],
      sealing: { bindTo: exports['bindTo'], lifetimeMs: exports['lifetimeMs'] } as Servlet['sealing'],
    };
    this.#servlet = new StatelessServlet(servlet, createThresholdLruManager(), { place, name, isSequential: true });
  }

  static async load(
    body: string,
    { name = 'test', keys = [newKey()] }: { name?: string; keys?: readonly SealKey[] } = {},
  ): Promise<StatelessProgram> {
    const file = writeProgram({ 'servlet.ts': body.replaceAll("'@custodian/worker'", JSON.stringify(LIBRARY)) });
    useKeys(keys, name);
    return StatelessProgram.#import(file, name);
  }

  static async #import(file: string, name: string, place = 'r0.1-1'): Promise<StatelessProgram> {
    const url = pathToFileURL(file).href;
    const exports = (await import(/* @vite-ignore */ `${url}?${place}`)) as Record<string, unknown>;
    return new StatelessProgram(file, name, exports, place);
  }

  /** The same servlet in another thread. */
  elsewhere(place = 'r0.1-2'): Promise<StatelessProgram> {
    return StatelessProgram.#import(this.file, this.name, place);
  }

  async ask(url: string, { headers = [], form }: AskedWith = {}): Promise<Reply> {
    const method = form === undefined ? 'GET' : 'POST';
    const head = { method, url, clientIp: '::1', rawHeaders: headers, hasBody: form !== undefined };
    const request = new ServletRequest(head as never, null);
    if (form !== undefined) request.setForm(Buffer.from(new URLSearchParams(form).toString()));
    return this.#servlet.handle(request);
  }

  /** The text of a page. */
  async text(url: string, asked: AskedWith = {}): Promise<string> {
    const { body } = await this.ask(url, asked);
    if (typeof body !== 'string') throw new TypeError(`the page at ${url} is no text`);
    return body;
  }

  /** The page that the n-th continuation of a page leads to. */
  follow(page: string, query = '', index = 0, asked: AskedWith = {}): Promise<string> {
    return this.text(`${urlOf(page, index)}${query}`, asked);
  }
}

/** The n-th continuation's URL on a page. */
export function urlOf(page: string, index = 0): string {
  const url = Array.from(page.matchAll(/[^\s"'<>]*;[kc]=[\w.~%-]+(?:;at=[\w.-]+)?/g), ([found]) => found)[index];
  if (url === undefined) throw new Error(`there is no continuation ${index} on the page: ${page}`);
  return url;
}
