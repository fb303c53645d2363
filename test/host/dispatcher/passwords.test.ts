import { execFileSync } from 'node:child_process';
import { constants, unlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, dispatchers, type Host, serve } from '../../../packages/host/src/index.ts';
import { FileTree } from '../../support/file-tree.ts';
import { eventually } from '../../support/eventually.ts';
import { StartedHost } from '../../support/started-host.ts';
import { WireClient } from '../../support/wire-client.ts';

const REALMS = [
  { realm: 'The "Office"', path: '^/office', users: { Ada: 'countess:1', böb: 'pässword' } },
  { realm: 'Vault', path: '^/office/vault', users: { ada: 'countess:1' } },
];
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

async function statusOf(host: Host, target: string, authorization?: string): Promise<number> {
  const client = await WireClient.connect(host.port);
  const line = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`;
  client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n${line}Connection: close\r\n\r\n`);
  const { status } = await client.response();
  client.destroy();
  return status;
}

/** A pipe that somebody reads; null while nobody does. A plain open would wait for the reader, who may need this very thread. */
async function openForWriting(pipe: string): Promise<FileHandle | null> {
  try {
    return await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return null;
    throw error;
  }
}

/** What has changed in a file counts a moment later. */
async function becomes(host: Host, status: number, target: string, authorization?: string): Promise<void> {
  await eventually(
    () => statusOf(host, target, authorization),
    (found) => found === status,
    { what: target },
  );
}

describe('passwords()', () => {
  it('passwords() asks for a name and a password, and lets in who has them', async () => {
    using tree = new FileTree({ 'office/x.txt': 'x', 'office/vault/x.txt': 'x', 'open.txt': 'x' });
    await using host = await serve({ extraFilesPaths: [tree.path], passwords: REALMS });
    const asked = await fetch(`${host.url}/office/x.txt`);
    expect([asked.status, asked.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="The \\"Office\\"", charset="UTF-8"',
    ]);
    expect(await asked.text()).toContain('Authorization Required');
    const ada = basic('ada', 'countess:1');
    const cases: [target: string, authorization: string | undefined, status: number][] = [
      ['/open.txt', undefined, 200],
      ['/open.txt', basic('nobody', 'x'), 200],
      ['/office/x.txt', ada, 200],
      ['/office/x.txt', ada.replace('Basic', 'bASIC'), 200],
      ['/office/x.txt', basic('ADA', 'countess:1'), 200],
      ['/office/x.txt', basic('böb', 'pässword'), 200],
      ['/office/x.txt', basic('ada', 'Countess:1'), 401],
      ['/office/x.txt', basic('ada', ''), 401],
      ['/office/x.txt', basic('', ''), 401],
      ['/office/x.txt', basic('constructor', 'x'), 401],
      ['/office/x.txt', 'Basic ', 401],
      ['/office/x.txt', 'Basic !!!', 401],
      ['/office/x.txt', `Basic ${Buffer.from('no colon').toString('base64')}`, 401],
      ['/office/x.txt', 'Bearer abc', 401],
      // Whoever is in one realm is not in all.
      ['/office/vault/x.txt', basic('böb', 'pässword'), 401],
      ['/office/vault/x.txt', ada, 200],
      // However the path is written.
      ['//office/x.txt', undefined, 401],
      ['/%6fffice/x.txt', undefined, 401],
      ['/;a/office/x.txt', undefined, 401],
      ['/office;a/x.txt', undefined, 401],
      ['http://h/office/x.txt', undefined, 401],
      ['/office/x.txt?', undefined, 401],
      ['/open/../office/x.txt', undefined, 400],
      ['/%2e/office/x.txt', undefined, 400],
      ['/./office/x.txt', ada, 400],
      ['/office%00', undefined, 400],
    ];
    for (const [target, authorization, status] of cases)
      expect([target, authorization, await statusOf(host, target, authorization)]).toEqual([
        target,
        authorization,
        status,
      ]);
    expect(host.ledger.refusals.get('REQUEST_AUTHORIZATION')).toBeGreaterThan(10);
  });

  it('passwords() closes a realm also to dot segments, which a servlet’s URL takes out of a path', async () => {
    const servlets = { all: 'export default { fetch: (request) => new Response(new URL(request.url).pathname) };' };
    await using started = await StartedHost.start(servlets, { passwords: REALMS }, { all: { regexp: '' } });
    for (const target of ['/./office', '/%2e/office', '/%2E;x/office', '/a/../office'])
      expect([target, await statusOf(started.host, target)]).toEqual([target, 400]);
    expect(await statusOf(started.host, '/office')).toBe(401);
    expect(await statusOf(started.host, '/.well-known/x')).toBe(200);
  });

  it('passwords() reads its file again when it has changed, and closes everything while there is none', async () => {
    using tree = new FileTree({ 'office/x.txt': 'x', 'open.txt': 'x' });
    const file = tree.write('.passwords.json', JSON.stringify(REALMS));
    await using host = await serve({ extraFilesPaths: [tree.path], passwords: file });
    expect(await statusOf(host, '/office/x.txt', basic('ada', 'countess:1'))).toBe(200);
    tree.write('.passwords.json', JSON.stringify([{ ...REALMS[0], users: { ada: 'other' } }]));
    await becomes(host, 401, '/office/x.txt', basic('ada', 'countess:1'));
    expect(await statusOf(host, '/office/x.txt', basic('ada', 'other'))).toBe(200);
    for (const wrong of ['', '{', '{}', '[{"realm":"x"}]', '[{"realm":"a","path":"(","users":{}}]']) {
      tree.write('.passwords.json', wrong);
      await becomes(host, 503, '/open.txt');
      tree.write('.passwords.json', '[]');
      await becomes(host, 200, '/office/x.txt');
    }
    unlinkSync(file);
    await becomes(host, 503, '/open.txt');
    expect(await (await fetch(`${host.url}/open.txt`)).text()).toContain('CUSTODIAN_PASSWORDS');
  });

  it('passwords() reads its file anew for what comes after /conf/refresh-passwords', async () => {
    using tree = new FileTree({ 'open.txt': 'x' });
    const file = tree.write('.passwords.json', '[]');
    await using host = await serve({ extraFilesPaths: [tree.path], passwords: file });
    for (const [list, status] of [
      [[{ ...REALMS[0], path: '^/open' }], 401],
      [[], 200],
    ] as const) {
      await statusOf(host, '/open.txt');
      tree.write('.passwords.json', JSON.stringify(list));
      expect(await statusOf(host, '/conf/refresh-passwords')).toBe(200);
      expect(await statusOf(host, '/open.txt')).toBe(status);
    }
  });

  it('passwords() has only those wait whom its file concerns, while the disk is slow', async () => {
    using tree = new FileTree({ 'open.txt': 'open' });
    const file = join(tree.path, '.passwords.json');
    // Whoever reads a pipe waits for one who writes.
    execFileSync('mkfifo', [file]);
    const { path, respond, passwords, files } = dispatchers;
    await using host = await serve({
      dispatchers: [
        path(
          '/free',
          respond(() => 'free'),
        ),
        passwords(file),
        files({ root: tree.path }),
      ],
    });
    const waiting = statusOf(host, '/open.txt');
    for (let count = 0; count < 3; count++) expect(await statusOf(host, '/free')).toBe(200);
    const pipe = await eventually(
      () => openForWriting(file),
      (opened) => opened !== null,
      { what: 'a reader' },
    );
    await using writer = pipe!;
    await writer.writeFile('[]');
    await writer.close();
    expect(await waiting).toBe(200);
  });

  it('passwords() says why a file can not be used, and no password', async () => {
    using tree = new FileTree({ 'passwords.json': '[{"realm":"a","path":"^/","users":{"ada":"hush-hush"}' });
    const logDestination = join(tree.path, 'log');
    await using host = await serve({ passwords: join(tree.path, 'passwords.json'), log: 'events', logDestination });
    expect(await statusOf(host, '/')).toBe(503);
    await host.close();
    const { readFileSync } = await import('node:fs');
    const written = readFileSync(logDestination, 'utf8');
    expect(written).toContain('it is not JSON');
    expect(written).not.toContain('hush');
  });

  it.each([
    [{}, 'no list'],
    [[{ path: '^/', users: {} }], 'realm 0 has no "realm"'],
    [[{ realm: 'ü', path: '^/', users: {} }], 'in ASCII'],
    [[{ realm: 'a', users: {} }], 'has no "path"'],
    [[{ realm: 'a', path: '(', users: {} }], 'no regexp'],
    [[{ realm: 'a', path: '', users: { ada: 5 } }], 'no password for "ada"'],
    [[{ realm: 'a', path: '', users: { 'a:b': 'x' } }], 'colon'],
    [[{ realm: 'a', path: '', users: {}, user: {} }], 'unknown key "user"'],
  ])('passwords(%j) is a ConfigError', (realms, part) => {
    expect(() => dispatchers.passwords(realms as never)).toThrow(ConfigError);
    expect(() => dispatchers.passwords(realms as never)).toThrow(part);
  });
});
