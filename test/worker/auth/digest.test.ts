import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createDigestAuth,
  digestCredentials,
  type DigestAlgorithm,
  type DigestAuthOptions,
  digestHa1,
  type DigestOutcome,
} from '../../../packages/worker/src/auth/digest.ts';
import { ThreadNonceMemory } from '../../../packages/worker/src/auth/digest-nonces.ts';
import { headerLines } from '../../../packages/worker/src/http/reply-head.ts';
import { servletRequest } from '../../support/servlet-request.ts';

const KEY = 'the first key, of many bytes';
const passwordOf = (user: string): string | null => ({ ada: 'opensesame', Jürgen: 'Spaß' })[user] ?? null;

function auth(options: Partial<DigestAuthOptions> = {}): ReturnType<typeof createDigestAuth> {
  return createDigestAuth({ realm: 'staff', key: KEY, passwordOf, ...options });
}

const hash = (algorithm: DigestAlgorithm, text: string): string =>
  createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text)
    .digest('hex');

interface Given {
  nonce: string;
  user?: string;
  password?: string;
  method?: string;
  url?: string;
  uri?: string;
  count?: string;
  algorithm?: DigestAlgorithm;
  /** Parameters that are set, or left out, after the digest was made. */
  changes?: Record<string, string | null>;
}

/** What a client would send (RFC 7616 §3.4). */
function request(given: Given) {
  const {
    nonce,
    user = 'ada',
    password = 'opensesame',
    method = 'GET',
    url = '/door?x=1',
    uri = url,
    count = '00000001',
    algorithm = 'SHA-256',
  } = given;
  const ha1 = hash(algorithm, `${user}:staff:${password}`);
  const response = hash(algorithm, `${ha1}:${nonce}:${count}:0a4f113b:auth:${hash(algorithm, `${method}:${uri}`)}`);
  const params: Record<string, string | null> = {
    username: `"${user}"`,
    realm: '"staff"',
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    algorithm,
    qop: 'auth',
    nc: count,
    cnonce: '"0a4f113b"',
    response: `"${response}"`,
    ...given.changes,
  };
  const text = Object.entries(params)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
  return servletRequest(url, { method, headers: ['Authorization', Buffer.from(`Digest ${text}`).toString('latin1')] });
}

function challengesOf(outcome: DigestOutcome): string[] {
  if (outcome.user !== null) throw new Error(`${outcome.user} was let in`);
  expect(outcome.challenge.status).toBe(401);
  return (outcome.challenge.headers as { 'WWW-Authenticate': string[] })['WWW-Authenticate'];
}

async function nonceOf(digest: ReturnType<typeof auth>): Promise<string> {
  return /nonce="([^"]+)"/.exec(challengesOf(await digest.check(servletRequest('/')))[0] as string)?.[1] as string;
}

describe('createDigestAuth()', () => {
  it('challenge() asks once for each algorithm, the strongest first, in headers that can be sent', async () => {
    const outcome = await auth({ opaque: 'o"p' }).check(servletRequest('/'));
    const [first, second, ...rest] = challengesOf(outcome);
    expect(first).toMatch(
      /^Digest realm="staff", qop="auth", algorithm=SHA-256, nonce="[\w.-]+", opaque="o\\"p", charset=UTF-8$/,
    );
    expect(second).toContain('algorithm=MD5, ');
    expect(rest).toEqual([]);
    expect(headerLines((outcome as unknown as { challenge: { headers: never } }).challenge.headers).lines).toContain(
      'WWW-Authenticate: Digest',
    );
  });

  it.each<DigestAlgorithm>(['SHA-256', 'MD5'])('check() lets in who answers with %s', async (algorithm) => {
    const digest = auth();
    const nonce = await nonceOf(digest);
    expect(await digest.check(request({ nonce, algorithm }))).toEqual({ user: 'ada' });
    expect(
      await digest.check(request({ nonce, algorithm, count: '00000002', user: 'Jürgen', password: 'Spaß' })),
    ).toEqual({ user: 'Jürgen' });
    expect(await digest.check(request({ nonce, algorithm, count: '0000000a', method: 'POST', url: '/' }))).toEqual({
      user: 'ada',
    });
    const absolute = request({ nonce, algorithm, count: '0000000b', url: 'http://h/door', uri: '/door' });
    expect(await digest.check(absolute)).toEqual({ user: 'ada' });
  });

  it('check() takes a user’s name in the extended form', async () => {
    const digest = auth();
    const changes = { username: null, 'username*': "UTF-8''J%C3%BCrgen" };
    expect(
      await digest.check(request({ nonce: await nonceOf(digest), user: 'Jürgen', password: 'Spaß', changes })),
    ).toEqual({ user: 'Jürgen' });
  });

  it.each<[string, Partial<Given>]>([
    ['a wrong password', { password: 'x' }],
    ['an unknown user', { user: 'eve' }],
    ['the digest of another page', { uri: '/other' }],
    ['the digest of another method', { changes: { response: `"${'0'.repeat(64)}"` } }],
    ['another realm', { changes: { realm: '"others"' } }],
    ['another quality', { changes: { qop: 'auth-int' } }],
    ['no quality', { changes: { qop: null } }],
    ['an algorithm that was not offered', { changes: { algorithm: 'SHA-512-256' } }],
    ['no count', { changes: { nc: null } }],
    ['a count that is none', { changes: { nc: '1' } }],
    ['no cnonce', { changes: { cnonce: null } }],
    ['no nonce', { changes: { nonce: null } }],
    ['no response', { changes: { response: null } }],
    ['an opaque of its own', { changes: { opaque: '"x"' } }],
    ['a hashed user', { changes: { userhash: 'true' } }],
    ['two users', { changes: { 'username*': "UTF-8''bob" } }],
    ['a parameter twice', { changes: { NC: '00000002' } }],
  ])('check() asks anew for %s', async (_what, given) => {
    const digest = auth();
    for (const challenge of challengesOf(await digest.check(request({ nonce: await nonceOf(digest), ...given }))))
      expect(challenge).not.toContain('stale');
  });

  it('check() lets a request in once, also when others overtake it', async () => {
    const digest = auth();
    const nonce = await nonceOf(digest);
    for (const count of ['00000003', '00000001', '00000002'])
      expect(await digest.check(request({ nonce, count }))).toEqual({ user: 'ada' });
    for (const count of ['00000002', '00000003'])
      expect(challengesOf(await digest.check(request({ nonce, count })))[0]).toContain('stale=true');
  });

  it('check() says stale when the password is right and the nonce is too old, or not ours', async () => {
    let now = 1_000_000;
    const digest = auth({ clock: () => now, nonceMaxAgeSeconds: 60 });
    const nonce = await nonceOf(digest);
    now += 60_000;
    expect(await digest.check(request({ nonce }))).toEqual({ user: 'ada' });
    now += 1;
    expect(challengesOf(await digest.check(request({ nonce, count: '00000002' })))[0]).toContain('stale=true');
    expect(challengesOf(await digest.check(request({ nonce: 'made up' })))[0]).toContain('stale=true');
    expect(
      challengesOf(
        await digest.check(request({ nonce: await nonceOf(auth({ key: 'another key of many bytes' })) })),
      )[0],
    ).toContain('stale=true');
    expect(challengesOf(await digest.check(request({ nonce: await nonceOf(auth({ realm: 'others' })) })))[0]).toContain(
      'stale=true',
    );
  });

  it('check() takes nonces of every key of the ring, and asks a memory that is shared', async () => {
    const nonces = new ThreadNonceMemory();
    const nonce = await nonceOf(auth());
    expect(await auth({ key: ['another key of many bytes', KEY], nonces }).check(request({ nonce }))).toEqual({
      user: 'ada',
    });
    expect(challengesOf(await auth({ nonces }).check(request({ nonce })))[0]).toContain('stale=true');
  });

  it('check() asks for what is kept of a password in its place, or waits for it', async () => {
    const ha1Of = async (user: string, algorithm: DigestAlgorithm) =>
      user === 'ada' ? digestHa1('ada', 'staff', 'opensesame', algorithm) : null;
    const digest = createDigestAuth({ realm: 'staff', key: KEY, ha1Of });
    expect(await digest.check(request({ nonce: await nonceOf(digest) }))).toEqual({ user: 'ada' });
    const failing = auth({ passwordOf: () => Promise.reject(new Error('no database')) });
    await expect(failing.check(request({ nonce: await nonceOf(failing) }))).rejects.toThrow('no database');
  });

  it('check() agrees with the examples of RFC 7616 §3.9.1', async () => {
    const digest = createDigestAuth({
      realm: 'http-auth@example.org',
      key: KEY,
      opaque: 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS',
      passwordOf: () => 'Circle of Life',
    });
    for (const [algorithm, response] of [
      ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
      ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
    ]) {
      const authorization = `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="${response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;
      const outcome = await digest.check(
        servletRequest('/dir/index.html', { headers: ['Authorization', authorization] }),
      );
      // The nonce is not ours, and only for that it is refused.
      expect(challengesOf(outcome)[0]).toContain('stale=true');
    }
  });

  it('check() hashes a realm beyond ASCII as the client does, by the bytes that came', async () => {
    const digest = auth({ realm: 'café' });
    const nonce = await nonceOf(digest);
    const ha1 = createHash('sha256').update(Buffer.from('ada:café:opensesame', 'latin1')).digest('hex');
    const response = hash('SHA-256', `${ha1}:${nonce}:00000001:0a4f113b:auth:${hash('SHA-256', 'GET:/')}`);
    const header = `Digest username="ada", realm="café", uri="/", algorithm=SHA-256, nonce="${nonce}", nc=00000001, cnonce="0a4f113b", qop=auth, response="${response}"`;
    const outcome = await digest.check(servletRequest('/', { headers: ['Authorization', header] }));
    expect(outcome).toEqual({ user: 'ada' });
  });

  it('check() asks anew for whatever else comes', async () => {
    const digest = auth();
    const parts = fc.constantFrom(
      'Digest ',
      'nc=00000001',
      ', ',
      '"',
      '\\',
      'username="ada"',
      'uri="/"',
      'qop=auth',
      'nonce=x',
      'response=y',
      'cnonce=z',
      'realm=staff',
      '=',
      'é',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 20 }), async (text) => {
        expect(
          challengesOf(
            await digest.check(servletRequest('/', { headers: ['Authorization', `Digest ${text.join('')}`] })),
          ),
        ).toHaveLength(2);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, Partial<DigestAuthOptions>]>([
    ['no lookup', { passwordOf: undefined as never }],
    ['two lookups', { ha1Of: () => null }],
    ['no algorithm', { algorithms: [] }],
    ['an unknown algorithm', { algorithms: ['SHA-1' as never] }],
    ['a nonce that is never good', { nonceMaxAgeSeconds: 0 }],
    ['a realm that would split the header', { realm: 'a\r\nb' }],
    ['a key that can be guessed', { key: 'x' }],
  ])('createDigestAuth() refuses %s', (_what, options) => {
    expect(() => auth(options)).toThrow(/^Cannot (?:make digest|write|use a key)/);
  });
});

describe('digestCredentials()', () => {
  it('digestCredentials() has the parameters, or null', () => {
    const of = (authorization: string) =>
      digestCredentials(servletRequest('/', { headers: ['Authorization', authorization] }));
    expect(of('DIGEST username="a", nc=1')).toEqual(
      new Map([
        ['username', 'a'],
        ['nc', '1'],
      ]),
    );
    expect([of('Basic x'), of('Digest a'), digestCredentials(servletRequest('/'))]).toEqual([null, null, null]);
  });
});

describe('ThreadNonceMemory', () => {
  it('use() refuses what it may have forgotten, and holds no more than it should', () => {
    const memory = new ThreadNonceMemory(3);
    for (let index = 1; index <= 5; index += 1) expect(memory.use(`n${index}`, 1, index)).toBe(true);
    expect([memory.use('n1', 1, 1), memory.use('n2', 2, 2), memory.use('n5', 1, 5), memory.use('n5', 2, 5)]).toEqual([
      false,
      false,
      false,
      true,
    ]);
    for (let count = 3; count < 5000; count += 1) expect(memory.use('n5', count, 5)).toBe(true);
    expect([memory.use('n5', 4000, 5), memory.use('n5', 4999, 5)]).toEqual([false, false]);
  });
});
