import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve, type Host } from '../../packages/host/src/index.ts';
import { BOUNDARY, formBody } from '../support/form-body.ts';
import { FileTree } from '../support/file-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { eventually } from '../support/eventually.ts';
import { startTrusted, StartedHost } from '../support/started-host.ts';

const RULES = `
  import { dispatchRules, nextDispatcher, rule, stringArg } from '@custodian/worker';
  export default dispatchRules(
    rule\`/hello\`(() => 'hello from the rules'),
    rule('POST')\`/rules/\${stringArg}\`(async (request, what) => {
      if (what === 'read') await request.bytes();
      if (what === 'begin') for await (const piece of request.body) break;
      return what === 'mine' ? 'mine' : nextDispatcher();
    }),
  ).dispatch;`;
const REST = `
  import { nextDispatcher } from '@custodian/worker';
  export default async (request) => {
    if (!request.path.startsWith('/rules/')) nextDispatcher();
    return request.path + ' ' + (request.bindings.get('a') ?? '') + ' ' + (await request.bytes()).length;
  };`;

describe('a servlet that leaves a request to others', () => {
  let files: FileTree;
  let servlets: ServletDirectory;
  let host: Host;
  beforeAll(async () => {
    files = new FileTree({ 'page.html': 'a file', 'sub/index.html': 'an index' });
    servlets = new ServletDirectory({ rules: RULES, rest: REST, 'root/late': `export default () => 'late';` });
    servlets.write(
      'root/passes',
      `import { nextDispatcher } from '@custodian/worker'; export default () => nextDispatcher();`,
    );
    host = await serve({
      servlets: [
        { file: servlets.file('rules'), regexp: '', cell: 'one' },
        { file: servlets.file('rest'), regexp: '', cell: 'one' },
      ],
      servletsRoot: `${servlets.path}/root`,
      extraFilesPaths: [files.path],
    });
  }, 60_000);
  afterAll(async () => {
    await host.close();
    files[Symbol.dispose]();
    servlets[Symbol.dispose]();
  });

  const ask = async (path: string, init: RequestInit = {}): Promise<[number, string]> => {
    const response = await fetch(host.url + path, { redirect: 'manual', ...init });
    return [response.status, await response.text()];
  };
  const post = (
    path: string,
    body: NonNullable<RequestInit['body']>,
    type = 'application/x-www-form-urlencoded',
  ): Promise<[number, string]> => ask(path, { method: 'POST', body, headers: { 'Content-Type': type } });

  it('a request goes on to the files behind it, with all that files do', async () => {
    expect(await ask('/hello')).toEqual([200, 'hello from the rules']);
    expect(await ask('/page.html')).toEqual([200, 'a file']);
    expect(await ask('/sub/')).toEqual([200, 'an index']);
    expect((await ask('/sub'))[0]).toBe(302);
    expect(await ask('/page.html', { headers: { Range: 'bytes=2-5' } })).toEqual([206, 'file']);
    expect((await ask('/page.html', { method: 'POST', body: 'x'.repeat(300_000) }))[0]).toBe(404);
    expect((await ask('/nothing'))[0]).toBe(404);
  });

  it('a request goes on to servlets from a directory, and from those to the files', async () => {
    expect(await ask('/late')).toEqual([200, 'late']);
    expect((await ask('/passes'))[0]).toBe(404);
    expect(host.ledger.obituaries).toEqual([]);
  });

  it.each(['other', 'read', 'begin'])(
    'the next servlet by its regexp gets a short body from its first byte: %s',
    async (what) => {
      expect(await post('/rules/mine', 'a=1')).toEqual([200, 'mine']);
      expect(await post(`/rules/${what}`, 'a=1&b=2')).toEqual([200, `/rules/${what} 1 7`]);
      const long = 'x'.repeat(50_000);
      expect(await post(`/rules/${what}`, long, 'text/plain')).toEqual([200, `/rules/${what}  50000`]);
    },
  );

  it('a long body that was not read goes on too; one that was, and a form with files, are an error that says so', async () => {
    const long = 'x'.repeat(900_000);
    expect(await post('/rules/other', long, 'text/plain')).toEqual([200, '/rules/other  900000']);
    const taken = [500, expect.stringContaining('CUSTODIAN_BODY_TAKEN')];
    expect(await post('/rules/read', long, 'text/plain')).toEqual(taken);
    const form = formBody([{ name: 'a', content: '1' }]);
    expect(await post('/rules/other', form as never, `multipart/form-data; boundary=${BOUNDARY}`)).toEqual(taken);
    expect(await post('/rules/other', 'a=2')).toEqual([200, '/rules/other 2 3']);
  });
});

describe('request.signal', () => {
  const HANG = `export default { fetch: (request) => new Promise((resolve) => {
    console.log('waiting');
    request.signal.addEventListener('abort', () => { console.log('gone'); resolve(new Response('late')); });
  }) };`;

  const logTo = ({ path }: FileTree) => ({ log: 'events', logDestination: join(path, 'log') }) as const;
  const logOf = ({ path }: FileTree): string =>
    existsSync(join(path, 'log')) ? readFileSync(join(path, 'log'), 'utf8') : '';

  it.each(['connection', 'servlet'] as const)(
    'request.signal of a fetch handler is aborted when the client leaves, with a thread for each %s',
    async (unit) => {
      using logs = new FileTree();
      await using started = await StartedHost.start({ hang: HANG }, logTo(logs), { hang: { unit } });
      const client = await started.connect();
      client.write('GET /hang HTTP/1.1\r\nHost: a\r\n\r\n');
      await eventually(
        () => logOf(logs),
        (text) => text.includes('waiting'),
        { ms: 20_000 },
      );
      client.destroy();
      const log = await eventually(
        () => logOf(logs),
        (text) => text.includes('gone'),
      );
      expect(log.match(/gone/g)).toHaveLength(1);
    },
  );

  it('request.signal is aborted for a client that has closed its side, who gets its answer nevertheless', async () => {
    await using started = await StartedHost.start({
      slow: `export default (request) => new Promise((resolve) => {
        const answer = () => setTimeout(resolve, 50, 'still here');
        if (request.signal.aborted) answer();
        else request.signal.addEventListener('abort', answer);
      });`,
    });
    for (const isLate of [true, false]) {
      const client = await started.connect();
      client.write('GET /slow HTTP/1.0\r\n\r\n');
      if (isLate) await sleep(200);
      client.end();
      expect((await client.response()).body.toString()).toBe('still here');
    }
  });

  it('request.signal of a shared thread is aborted when a request has run out of time', async () => {
    using logs = new FileTree();
    await using started = await startTrusted(
      { hang: HANG },
      { ...logTo(logs), limits: { wallMs: 300 } },
      { hang: { unit: 'servlet' } },
    );
    expect((await fetch(`${started.url}/hang`)).status).toBe(504);
    await eventually(
      () => logOf(logs),
      (text) => text.includes('gone'),
    );
    expect(started.host.ledger.obituaries).toEqual([]);
  });
});
