import { readVersion, withVersion } from '@custodian/protocol';
import { ask } from '../asks.ts';
import { loadedModules } from '../continuation/module-code.ts';
import type { CodeChangedError } from '../continuation/serialize/errors.ts';
import { headerPairs } from '../http/reply-head.ts';
import type { PlainReply } from '../http/reply.ts';
import type { ServletRequest } from '../http/request.ts';
import type { CompileTask } from '../servlet/compile-hook.ts';

let compiler: string | null = null;

/** Has the host keep the code that was loaded in this thread, unless it does. Once it does, pages may be made in it. */
export async function keepVersion(task: CompileTask): Promise<void> {
  ({ compiler } = task);
  const { root, persistence } = task;
  const modules = Array.from(loadedModules(), ({ name, hash }) => [name, hash]);
  const { isKept } = (await ask('version', { present: modules, compiler })).json() as { isKept: boolean };
  if (isKept) return;
  const relative = Object.entries(task.code).map(([url, text]) => [
    url.startsWith(root) ? `./${url.slice(root.length)}` : url,
    text,
  ]);
  const code = Object.fromEntries(relative) as Record<string, string>;
  await ask('version', { keep: true }, { body: Buffer.from(JSON.stringify({ compiler, persistence, modules, code })) });
}

/** Sends a visitor, with what he has sent, to the version of the servlet that his page began in; null: it is not kept. */
export async function toOldVersion(request: ServletRequest, error: CodeChangedError): Promise<PlainReply | null> {
  if (compiler === null || readVersion(request.url) !== null) return null;
  const { version } = (await ask('version', { find: error.modules, compiler })).json() as { version: string | null };
  if (version === null) return null;
  const location = withVersion(request.url, version).replace(/^[/\\]+/, '/');
  return {
    status: 307,
    headers: headerPairs([
      ['Location', location],
      ['Cache-Control', 'no-store'],
    ]),
    body: null,
  };
}
