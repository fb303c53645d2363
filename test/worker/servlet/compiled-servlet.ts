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
      handle: handlerOf(exports['default']),
    };
    this.#servlet = new ContinuationServlet(servlet, this.manager, {
      place: 'r0.1-1',
      name: 'test',
      isSequential: true,
    });
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
    return bodyOf(await this.get(url, headers));
  }

  /** The page that the n-th continuation of a page leads to. */
  follow(page: string, query = '', index = 0): Promise<string> {
    const url = Array.from(page.matchAll(/[^\s"'<>]*;k=[\w.-]+/g), ([found]) => found)[index];
    if (url === undefined) throw new Error(`there is no continuation ${index} on the page: ${page}`);
    return this.text(`${new URL(url, 'http://h').pathname}${query}`);
  }
}

/** The whole body of a reply, streams included. */
export async function bodyOf({ body }: Reply): Promise<string> {
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  let text = '';
  for await (const piece of body) text += typeof piece === 'string' ? piece : Buffer.from(piece).toString();
  return text;
}

/** As `loadServlet` takes it: a function, or an object with a fetch function. */
function handlerOf(main: unknown): (request: ServletRequest) => unknown {
  if (typeof main === 'function') return main as (request: ServletRequest) => unknown;
  const app = main as { fetch(request: Request): unknown };
  return (request) => app.fetch(request.toRequest());
}
