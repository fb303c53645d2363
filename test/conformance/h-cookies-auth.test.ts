import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';

const KEY = 'a secret of thirty-two bytes or more';

const SERVLETS = {
  cookies: `export default (request) => JSON.stringify([...request.cookies]);`,
  id: `import { createIdCookie, html, logoutIdCookie, requestIdCookie, setCookie } from '@custodian/worker';
    const key = '${KEY}';
    export default (request) => {
      const name = request.query.get('login');
      if (name !== undefined) return setCookie('hello', createIdCookie('id', name, { key }));
      if (request.query.has('logout')) return setCookie('bye', logoutIdCookie('id'));
      const check = { key: request.query.has('other') ? 'the secret of somebody else' : key };
      if (request.query.has('late')) Object.assign(check, { shelfLifeSeconds: 60, nowMs: Date.now() + 62_000 });
      return html\`\${requestIdCookie(request, request.query.get('name') ?? 'id', check) ?? 'none'}\`;
    };`,
  basic: `import { basicCredentials, createBasicAuthHeader } from '@custodian/worker';
    export default (request) => {
      const credentials = basicCredentials(request);
      if (credentials === null) return { status: 401, headers: createBasicAuthHeader('the cellar') };
      return JSON.stringify(credentials);
    };`,
  digest: `import { createDigestAuth } from '@custodian/worker';
    const auth = (algorithms) => createDigestAuth({ realm: 'staff', key: '${KEY}', algorithms, passwordOf: (user) => user === 'ada' ? 'open sesame' : null });
    const both = auth(['SHA-256', 'MD5']), old = auth(['MD5']);
    export default async (request) => {
      const visitor = await (request.query.has('md5') ? old : both).check(request);
      return visitor.user === null ? visitor.challenge : request.method + ' ' + visitor.user + ' ' + await request.text();
    };`,
};

const SALT = `import { createHash } from 'node:crypto';
  import { secretSalt } from '@custodian/worker';
  export default () => createHash('sha256').update(secretSalt('.salt')).digest('hex');`;

let started: StartedHost;
beforeAll(async () => {
  const servlets = { ...SERVLETS, guest: SALT, trusted: SALT };
  started = await StartedHost.start(servlets, {}, { trusted: { profile: 'trusted' } });
}, 60_000);
afterAll(() => started[Symbol.asyncDispose]());

async function text(path: string, headers: Record<string, string> = {}): Promise<string> {
  return (await fetch(`${started.url}${path}`, { headers })).text();
}

test('C102 cookies in: those of all headers come in order, quotes stripped, invalid ones dropped', async () => {
  const client = await started.connect();
  client.write(
    'GET /cookies HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\nCookie: b="2"; bad=x y; a=3; c\r\nConnection: close\r\n\r\n',
  );
  const { body } = await client.response();
  expect(JSON.parse(body.toString())).toEqual([
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
    ['c', ''],
  ]);
});

test('C103 id cookie: gives its data back; a changed, renamed, foreign or old one gives none', async () => {
  const response = await fetch(`${started.url}/id?login=Ada%20%26%20co`);
  const [line] = response.headers.getSetCookie();
  expect(line).toMatch(/^id=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
  const cookie = (line as string).split(';')[0] as string;
  expect(await text('/id', { cookie })).toBe('Ada &amp; co');
  expect(await text('/id', { cookie: `id=x; ${cookie}` })).toBe('Ada &amp; co');
  const last = cookie.endsWith('x') ? 'y' : 'x';
  expect(await text('/id', { cookie: cookie.slice(0, -1) + last })).toBe('none');
  expect(await text('/id?name=other', { cookie: cookie.replace('id=', 'other=') })).toBe('none');
  expect(await text('/id?other', { cookie })).toBe('none');
  expect(await text('/id?late', { cookie })).toBe('none');
  expect(await text('/id')).toBe('none');
  const [logout] = (await fetch(`${started.url}/id?logout`)).headers.getSetCookie();
  expect(logout).toMatch(/^id=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=\//);
});

test('C104 basic: asks without credentials, and reads name and password, which may have colons', async () => {
  const asked = await fetch(`${started.url}/basic`);
  expect([asked.status, asked.headers.get('www-authenticate')]).toEqual([
    401,
    'Basic realm="the cellar", charset="UTF-8"',
  ]);
  const base64 = Buffer.from('user:p:q').toString('base64');
  for (const scheme of ['Basic', 'basic']) {
    const answer = JSON.parse(await text('/basic', { authorization: `${scheme} ${base64}` })) as unknown;
    expect(answer).toEqual({ user: 'user', password: 'p:q' });
  }
  for (const authorization of ['Basic ?', 'Bearer x', 'Basic'])
    expect((await fetch(`${started.url}/basic`, { headers: { authorization } })).status).toBe(401);
});

test('secretSalt(): a trusted servlet makes the file beside it, a guest reads what its operator has made', async () => {
  const refused = await fetch(`${started.url}/guest`);
  expect(refused.status).toBe(500);
  expect(await refused.text()).toContain('a guest may not read or make it (its operator makes it, in its directory)');
  const hash = await text('/trusted');
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect([await text('/guest'), await text('/trusted')]).toEqual([hash, hash]);
});

const curl = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)('curl', ['--silent', '--max-time', '20', '--write-out', ' %{http_code}', ...args])).stdout;

const hasCurl = await promisify(execFile)('curl', ['--version']).then(
  () => true,
  () => (console.warn('skipped: there is no curl here'), false),
);

test.skipIf(!hasCurl)(
  'digest: curl --digest is let in with SHA-256 and with MD5, and not with another password',
  async () => {
    for (const query of ['', '?md5'])
      expect(await curl('--digest', '--user', 'ada:open sesame', `${started.url}/digest${query}`)).toBe('GET ada  200');
    expect(await curl('--digest', '--user', 'ada:open sesame', '--data', 'x=1', `${started.url}/digest`)).toBe(
      'POST ada x=1 200',
    );
    expect(await curl('--digest', '--user', 'ada:wrong', `${started.url}/digest`)).toBe(' 401');
    expect(await curl('--digest', '--user', 'eve:open sesame', `${started.url}/digest?md5`)).toBe(' 401');
  },
);
