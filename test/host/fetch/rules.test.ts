import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../../packages/host/src/fetch/address-rules.ts';
import { readFetchOrder, redirected } from '../../../packages/host/src/fetch/fetch-order.ts';
import { FetchRules } from '../../../packages/host/src/fetch/fetch-rules.ts';
import { pinnedLookup } from '../../../packages/host/src/fetch/pinned-lookup.ts';

const ORDER = { url: 'https://a.example/x', method: 'GET', headers: [], redirect: 'follow', bodyBytes: null };

describe('isPublicAddress()', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12:3456::1',
    'ff02::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    'localhost',
    '',
    '1.2.3',
  ])('isPublicAddress() refuses %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:1.1.1.1', '::ffff:101:101'])(
    'isPublicAddress() takes %s',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );
});

describe('FetchRules', () => {
  const may = (origins: string[], url: string): boolean => new FetchRules({ origins }).mayFetch(new URL(url));

  it.each<[string, string, boolean]>([
    ['https://api.example.com', 'https://api.example.com/any?thing', true],
    ['https://api.example.com', 'https://API.example.com:443/', true],
    ['https://api.example.com', 'http://api.example.com/', false],
    ['https://api.example.com', 'https://api.example.com:8443/', false],
    ['https://api.example.com', 'https://api.example.com.evil.example/', false],
    ['https://*.example.com', 'https://a.b.example.com/', true],
    ['https://*.example.com', 'https://example.com/', false],
    ['https://*.example.com', 'https://evilexample.com/', false],
    ['https://*.example.com', 'http://a.example.com/', false],
    ['http://*.example.com:8080', 'http://a.example.com:8080/', true],
    ['*', 'https://whatever.example/', true],
    ['*', 'ftp://whatever.example/', false],
    ['*', 'file:///etc/passwd', false],
    ['http://127.0.0.1:9200', 'http://2130706433:9200/', true],
    ['http://127.0.0.1:9200', 'http://127.0.0.1/', false],
  ])('with %s FetchRules says of %s: %s', (origin, url, expected) => {
    expect(may([origin], url)).toBe(expected);
  });

  it('FetchRules lets a servlet reach public addresses, and others that are named', () => {
    const rules = new FetchRules({ origins: ['*', 'http://[fd00::5]:80'], addresses: ['10.0.0.0/8', '::1'] });
    const reached = ['1.1.1.1', '10.9.9.9', '::ffff:10.9.9.9', '::1', 'fd00::5'].map((each) => rules.mayReach(each));
    expect(reached).toEqual([true, true, true, true, true]);
    const others = ['11.0.0.1', '127.0.0.1', 'fd00::6', '192.168.0.1'].map((each) => rules.mayReach(each));
    expect(others).toEqual([true, false, false, false]);
  });

  it.each([
    [{ origins: ['api.example.com'] }, '"api.example.com" is no origin'],
    [{ origins: ['https://a.example/path'] }, 'is no origin'],
    [{ origins: ['ftp://a.example'] }, 'is no origin'],
    [{ origins: [], addresses: ['10.0.0.0/33'] }, '"10.0.0.0/33" is neither an address nor a subnet'],
    [{ origins: [], addresses: ['localhost'] }, 'is neither an address nor a subnet'],
  ])('FetchRules refuses %j', (options, message) => {
    expect(() => new FetchRules(options)).toThrow(message);
  });
});

describe('pinnedLookup()', () => {
  const lookUp = (found: LookupAddress[], all: boolean): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const rules = new FetchRules({ origins: ['*'] });
      pinnedLookup(rules, () => Promise.resolve(found))('name.example', { all }, (error, address) => {
        if (error === null) resolve(address);
        else reject(error);
      });
    });

  it('pinnedLookup() gives the addresses that may be reached, and leaves out the others', async () => {
    const found = [
      { address: '127.0.0.1', family: 4 },
      { address: '1.1.1.1', family: 4 },
    ];
    expect(await lookUp(found, true)).toEqual([{ address: '1.1.1.1', family: 4 }]);
    expect(await lookUp(found, false)).toBe('1.1.1.1');
  });

  it('pinnedLookup() fails when none is left', async () => {
    const found = [{ address: '::ffff:169.254.169.254', family: 6 }];
    await expect(lookUp(found, true)).rejects.toMatchObject({ code: 'FETCH_ADDRESS' });
  });
});

describe('pinnedLookup() of several servlets', () => {
  it('pinnedLookup() of one name for many connections at once resolves it once, and again for those that come later', async () => {
    const answers = [[{ address: '1.1.1.1', family: 4 }], [{ address: '10.0.0.1', family: 4 }]];
    let asked = 0;
    const look = pinnedLookup(new FetchRules({ origins: ['*'] }), async () => answers[asked++] as LookupAddress[]);
    const lookUp = (): Promise<unknown> =>
      new Promise((resolve) => look('name.example', { all: false }, (error, address) => resolve(error ?? address)));
    const burst = await Promise.all(Array.from({ length: 100 }, lookUp));
    expect(burst).toEqual(Array(100).fill('1.1.1.1'));
    expect(asked).toBe(1);
    expect(await lookUp()).toMatchObject({ code: 'FETCH_ADDRESS' });
    expect(asked).toBe(2);
  });

  it('pinnedLookup() of names that nobody resolves keeps no other servlet waiting, and so many of its own', async () => {
    const rules = new FetchRules({ origins: ['*'] });
    const hang = Promise.withResolvers<LookupAddress[]>();
    const lookUp = (look: ReturnType<typeof pinnedLookup>, name = 'name.example'): Promise<unknown> =>
      new Promise((resolve) => look(name, { all: false }, (error, address) => resolve(error ?? address)));
    const slow = pinnedLookup(rules, () => hang.promise);
    const waiting = Array.from({ length: 100 }, (_, n) => lookUp(slow, `${n}.example`));
    expect(await lookUp(pinnedLookup(rules, () => Promise.resolve([{ address: '1.1.1.1', family: 4 }])))).toBe(
      '1.1.1.1',
    );
    expect(await waiting.at(-1)).toMatchObject({ code: 'LIMIT_FETCHES' });
    hang.resolve([{ address: '1.0.0.1', family: 4 }]);
    expect((await Promise.all(waiting)).filter((found) => found === '1.0.0.1')).toHaveLength(65);
  });
});

describe('readFetchOrder()', () => {
  it.each<[string, object]>([
    ['a line end in a value', { headers: [['x', 'a\r\nHost: b']] }],
    ['a line end in a name', { headers: [['x\r\nHost', 'b']] }],
    ['a NUL', { headers: [['x', 'a\0']] }],
    ['no list', { headers: 'x: y' }],
    ['no pair', { headers: ['x'] }],
    ['a method with a space', { method: 'GET / HTTP/1.1\r\nHost: b' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['TRACE', { method: 'trace' }],
    ['no address', { url: '/x' }],
    ['a password in the address', { url: 'https://ada:x@a.example/' }],
    ['no redirect mode', { redirect: 'often' }],
    ['a length of its own kind', { bodyBytes: '5' }],
  ])('readFetchOrder() refuses %s', (_, part) => {
    expect(() => readFetchOrder({ ...ORDER, ...part })).toThrow(expect.objectContaining({ code: 'FETCH_INVALID' }));
  });

  it('readFetchOrder() leaves out what belongs to the connection', () => {
    const headers = ['Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'X-A'].map((name) => [name, '1']);
    expect(readFetchOrder({ ...ORDER, headers }).headers).toEqual(['X-A', '1']);
  });
});

describe('redirected()', () => {
  const post = readFetchOrder({
    ...ORDER,
    method: 'POST',
    headers: [
      ['Authorization', 'secret'],
      ['Cookie', 'secret'],
      ['Content-Type', 'text/plain'],
      ['X-A', '1'],
    ],
    bodyBytes: 3,
  });

  it('redirected() drops credentials where the origin is another, and keeps them where it is not', () => {
    expect(redirected(post, 307, 'https://b.example/').headers).toEqual(['Content-Type', 'text/plain', 'X-A', '1']);
    expect(redirected(post, 307, '/y').headers).toEqual(post.headers);
  });

  it('redirected() drops the body after 301, 302 and 303, and keeps it after 307 and 308', () => {
    for (const status of [301, 302, 303])
      expect(redirected(post, status, '/y')).toMatchObject({ method: 'GET', bodyBytes: null });
    for (const status of [307, 308])
      expect(redirected(post, status, '/y')).toMatchObject({ method: 'POST', bodyBytes: 3 });
  });
});
