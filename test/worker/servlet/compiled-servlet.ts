import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Reply } from '../../../packages/worker/src/http/reply.ts';
import { ServletRequest } from '../../../packages/worker/src/http/request.ts';
import type { ContinuationManager } from '../../../packages/worker/src/manager/manager.ts';
import { createThresholdLruManager } from '../../../packages/worker/src/manager/threshold-lru.ts';
import { ContinuationServlet } from '../../../packages/worker/src/servlet/continuation-servlet.ts';
import { compiledCode } from '../../continuation/support/compile-module.ts';

const LIBRARY = new URL('../../../packages/worker/src/index.ts', import.meta.url).href;
const directory: string = mkdtempSync(join(tmpdir(), 'custodian-servlet-'));
let count = 0;

/** A servlet written as a string, compiled and run in this thread. */
export class CompiledServlet {
  readonly manager: ContinuationManager;
  readonly exports: Record<string, unknown>;
  readonly #servlet: ContinuationServlet;

  private constructor(exports: Record<string, unknown>) {
    this.exports = exports;
    this.manager = (exports['manager'] as ContinuationManager | undefined) ?? createThresholdLruManager();
    const servlet = {
      kind: 'servlet' as const,
      limits: {},
      persistence: null,
      takesRawBody: false,
      handle: exports['default'] as (request: unknown) => unknown,
    };
    this.#servlet = new ContinuationServlet(servlet, this.manager, { place: 'r0.1-1', name: 'test' });
  }

  static async load(body: string): Promise<CompiledServlet> {
    const file = join(directory, `servlet-${++count}.ts`);
    const emitted = join(directory, `servlet-${count}.mjs`);
    writeFileSync(emitted, compiledCode(file, body.replaceAll("'@custodian/worker'", JSON.stringify(LIBRARY))));
    return new CompiledServlet(
      (await import(/* @vite-ignore */ pathToFileURL(emitted).href)) as Record<string, unknown>,
    );
  }

  get(url: string, headers: readonly string[] = []): Promise<Reply> {
    const head = { method: 'GET', url, clientIp: '::1', rawHeaders: headers, hasBody: false };
    return this.#servlet.handle(new ServletRequest(head as never, null));
  }

  /** The text of a page. */
  async text(url: string, headers: readonly string[] = []): Promise<string> {
    const { body } = await this.get(url, headers);
    if (typeof body !== 'string') throw new TypeError(`the page at ${url} is no text`);
    return body;
  }

  /** The page that the n-th continuation of a page leads to. */
  follow(page: string, query = '', index = 0): Promise<string> {
    const url = Array.from(page.matchAll(/[^\s"'<>]*;k=[\w.-]+/g), ([found]) => found)[index];
    if (url === undefined) throw new Error(`there is no continuation ${index} on the page: ${page}`);
    return this.text(`${new URL(url, 'http://h').pathname}${query}`);
  }
}
