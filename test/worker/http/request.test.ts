import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeForm, encodeForm, ProtocolError, type ReadPart, RequestHead } from '@custodian/protocol';
import { MultipartForm } from '../../../packages/worker/src/http/multipart-form.ts';
import {
  type BodySource,
  BodyUsedError,
  FORM_MAX_BYTES,
  FormTooLargeError,
  needsForm,
  readForm,
} from '../../../packages/worker/src/http/received-body.ts';
import { ServletRequest } from '../../../packages/worker/src/http/request.ts';

function head(method: string, url: string, rawHeaders: string[] = [], hasBody = false): RequestHead {
  const bytes = Buffer.from(
    `${hasBody ? '\x01' : '\0'}${[method, url, '192.0.2.1', '192.0.2.9', '8080', ...rawHeaders].join('\n')}`,
    'latin1',
  );
  return new RequestHead(bytes, 0, bytes.length);
}

function source(...pieces: (string | Uint8Array)[]): BodySource & { readCount: number } {
  const rest = [...pieces];
  return {
    readCount: 0,
    async next() {
      this.readCount += 1;
      const piece = rest.shift();
      return piece === undefined ? null : Buffer.from(piece);
    },
  };
}

const FORM = ['Content-Type', 'application/x-www-form-urlencoded; charset=UTF-8'];

describe('ServletRequest', () => {
  it('ServletRequest shows method, url, path and address as they came', () => {
    const request = new ServletRequest(head('get', '/a%20b;k=x/c?q=/d'), null);
    expect([request.method, request.url, request.path]).toEqual(['get', '/a%20b;k=x/c?q=/d', '/a%20b;k=x/c']);
    expect([request.clientIp, request.hostIp, request.hostPort]).toEqual(['192.0.2.1', '192.0.2.9', 8080]);
  });

  it.each([
    ['http://shop.example/cart?x=1', '/cart'],
    ['http://shop.example?x=1', '/'],
    ['*', '*'],
    ['//elsewhere/x', '//elsewhere/x'],
    ['/?', '/'],
  ])('ServletRequest.path of %s is %s', (url, path) => {
    expect(new ServletRequest(head('GET', url), null).path).toBe(path);
  });

  it('ServletRequest.headers keeps order, case and repeats; header() ignores case and takes the first', () => {
    const request = new ServletRequest(head('GET', '/', ['X-A', '1', 'x-b', '', 'x-a', '\xe9']), null);
    expect(request.headers).toEqual([
      ['X-A', '1'],
      ['x-b', ''],
      ['x-a', '\xe9'],
    ]);
    expect(request.header('x-A')).toBe('1');
    expect(request.header('X-B')).toBe('');
    expect(request.header('1')).toBeUndefined();
    expect(request.headerAll('X-a')).toEqual(['1', '\xe9']);
    expect(request.headerAll('y')).toEqual([]);
  });

  it('ServletRequest.bindings has the fields of the body, then those of the query', async () => {
    const requestHead = head('POST', '/?a=q&z=9', FORM, true);
    expect(needsForm(requestHead)).toBe(true);
    const request = new ServletRequest(requestHead, null);
    request.setForm(await readForm(source('a=1&b=2&c&', 'd=&a=3')));
    expect([...request.bindings]).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['c', ''],
      ['d', ''],
      ['a', '3'],
      ['a', 'q'],
      ['z', '9'],
    ]);
    expect([...request.query]).toEqual([
      ['a', 'q'],
      ['z', '9'],
    ]);
    expect(await request.text()).toBe('a=1&b=2&c&d=&a=3');
    expect((await request.bytes()).length).toBe(16);
  });

  it('ServletRequest.bindings without a form is the query', () => {
    expect([...new ServletRequest(head('POST', '/x?n=1'), source('n=2')).bindings]).toEqual([['n', '1']]);
    expect([...new ServletRequest(head('GET', '/x'), null).bindings]).toEqual([]);
  });

  it('ServletRequest.bytes() and text() read the body once and give it as often as asked', async () => {
    const body = source('Grüße ', new Uint8Array([0xff]));
    const request = new ServletRequest(head('POST', '/', [], true), body);
    expect(await request.text()).toBe('Grüße \ufffd');
    expect((await request.bytes()).length).toBe(9);
    expect(body.readCount).toBe(3);
    await expect(Array.fromAsync(request.body)).rejects.toThrow(BodyUsedError);
  });

  it('ServletRequest.body comes piece by piece, once', async () => {
    const body = source('a', 'b');
    const request = new ServletRequest(head('POST', '/', [], true), body);
    expect(body.readCount).toBe(0);
    expect((await Array.fromAsync(request.body)).map(String)).toEqual(['a', 'b']);
    await expect(request.bytes()).rejects.toMatchObject({ code: 'SERVLET_BODY_USED' });
  });

  it('ServletRequest.json() is the value, or an error that the client is told of', async () => {
    const request = new ServletRequest(head('POST', '/', [], true), source('{"a":', '[1]}'));
    expect(await request.json()).toEqual({ a: [1] });
    const broken = new ServletRequest(head('POST', '/', [], true), source('{'));
    await expect(broken.json()).rejects.toMatchObject({ code: 'SERVLET_BODY_JSON' });
  });

  it('ServletRequest.signal is aborted when the client goes away, before or after it was asked for', () => {
    const early = new ServletRequest(head('GET', '/'), null);
    const { signal } = early;
    expect(signal.aborted).toBe(false);
    early.setGone();
    expect(signal.aborted).toBe(true);
    const late = new ServletRequest(head('GET', '/'), null);
    late.setGone();
    expect(late.signal.aborted).toBe(true);
  });

  it('ServletRequest without a body has an empty one', async () => {
    const request = new ServletRequest(head('GET', '/'), null);
    expect(await request.text()).toBe('');
    expect(await Array.fromAsync(new ServletRequest(head('GET', '/'), null).body)).toEqual([]);
  });

  it('ServletRequest.bytes() rejects when the client goes away', async () => {
    const request = new ServletRequest(head('POST', '/', [], true), {
      next: () => Promise.reject(new Error('the client is gone')),
    });
    await expect(request.bytes()).rejects.toThrow('the client is gone');
  });
});

describe('ServletRequest with a multipart form', () => {
  const part = { charset: 'utf-8', type: 'text/plain', filename: null, headers: [] };
  const parts: ReadPart[] = [
    {
      ...part,
      name: 'a',
      headers: [['content-disposition', 'form-data; name="a"']],
      bytes: 3,
      value: Buffer.from([0xc3, 0xa9, 0xff]),
    },
    {
      ...part,
      name: 'f',
      filename: 'n.txt',
      headers: [
        ['content-disposition', 'form-data; name="f"; filename="n.txt"'],
        ['x-own', '1'],
        ['x-own', '2'],
      ],
      bytes: 5,
      value: null,
    },
    { ...part, name: 'l', charset: 'iso-8859-1', bytes: 1, value: Buffer.from([0xe9]) },
  ];

  function multipart(): ServletRequest {
    const request = new ServletRequest(head('POST', '/?q=1', ['Content-Length', '999'], true), source());
    const bytes = Buffer.concat(encodeForm({ id: 'form-7', boundary: 'B', parts }));
    request.setMultipart(
      new MultipartForm(bytes, async function* (form, index) {
        yield Buffer.from(`${form}${index}`.slice(-5));
      }),
    );
    return request;
  }

  it('ServletRequest.bindings has the fields of the query, then those of the form', async () => {
    const { bindings } = multipart();
    expect(bindings.all.map(({ name }) => name)).toEqual(['q', 'a', 'f', 'l']);
    expect([bindings.get('a'), bindings.get('l')]).toEqual(['é\ufffd', 'é']);
    expect(bindings.getBytes('a')).toEqual(Buffer.from([0xc3, 0xa9, 0xff]));
    const file = bindings.singleFile('f');
    expect([file.filename, file.type, file.size, file.header('X-Own')]).toEqual(['n.txt', 'text/plain', 5, '1']);
    expect(await file.text()).toBe('rm-71');
  });

  it('ServletRequest.body is the form put together again, and toRequest() has its length', async () => {
    const body = Buffer.from(await multipart().bytes());
    expect(body.toString('latin1')).toBe(
      [
        '--B',
        'Content-Disposition: form-data; name="a"',
        '',
        '\xc3\xa9\xff',
        '--B',
        'Content-Disposition: form-data; name="f"; filename="n.txt"',
        'X-Own: 1',
        'X-Own: 2',
        '',
        'rm-71',
        '--B',
        '',
        '\xe9',
        '--B--',
        '',
      ].join('\r\n'),
    );
    const web = multipart().toRequest();
    expect(web.headers.get('content-length')).toBe(String(body.length));
    expect(Buffer.from(await web.arrayBuffer())).toEqual(body);
  });

  it('decodeForm() refuses what is cut short at any byte', () => {
    const bytes = Buffer.concat(encodeForm({ id: 'x', boundary: 'B', parts }));
    expect(decodeForm(bytes).parts).toEqual(parts);
    for (let end = 0; end < bytes.length; end += 1)
      expect(() => decodeForm(bytes.subarray(0, end))).toThrow(ProtocolError);
  });
});

describe('needsForm()', () => {
  it.each([
    ['GET', 'application/x-www-form-urlencoded', true, false],
    ['POST', 'application/x-www-form-urlencoded', false, false],
    ['POST', 'Application/X-WWW-Form-Urlencoded ;charset=x', true, true],
    ['PUT', 'application/x-www-form-urlencoded', true, true],
    ['POST', 'application/x-www-form-urlencoded2', true, false],
    ['POST', 'multipart/form-data', true, false],
  ])('needsForm() of %s with %s, body %s, is %s', (method, type, hasBody, expected) => {
    expect(needsForm(head(method, '/', ['content-type', type], hasBody))).toBe(expected);
  });
});

describe('readForm()', () => {
  it('readForm() stops at its bound, and does not read the rest', async () => {
    const half = new Uint8Array(FORM_MAX_BYTES / 2);
    expect((await readForm(source(half, half))).length).toBe(FORM_MAX_BYTES);
    const body = source(half, half, 'x', half);
    await expect(readForm(body)).rejects.toThrow(FormTooLargeError);
    expect(body.readCount).toBe(3);
  });
});

describe('ServletRequest.toRequest()', () => {
  it('ServletRequest.toRequest() carries method, headers and a streaming body', async () => {
    const body = source('ab', 'c');
    const request = new ServletRequest(
      head('POST', '/p?q=1', ['Host', 'shop.example:81', 'X-A', '1', 'X-A', '2'], true),
      body,
    ).toRequest();
    expect([request.method, request.url, request.headers.get('x-a')]).toEqual([
      'POST',
      'http://shop.example:81/p?q=1',
      '1, 2',
    ]);
    expect(body.readCount).toBe(0);
    expect(await request.text()).toBe('abc');
  });

  it('ServletRequest.toRequest() carries a form that was read in advance', async () => {
    const request = new ServletRequest(head('POST', '/', FORM, true), source());
    request.setForm(Buffer.from('a=1'));
    expect((await request.toRequest().formData()).get('a')).toBe('1');
  });

  it.each([
    ['/x', ['Host', 'a.example'], undefined, 'http://a.example/x'],
    ['/x', ['Host', 'a.example'], 'https://b.example/', 'https://b.example/x'],
    ['http://u:p@c.example/y?z', ['Host', 'a.example'], undefined, 'http://c.example/y?z'],
    ['http://c.example/y', [], 'https://b.example', 'https://b.example/y'],
    ['//evil.example/x', ['Host', 'a.example'], undefined, 'http://a.example//evil.example/x'],
    ['/x', ['Host', 'evil@a.example'], undefined, 'http://localhost/x'],
    ['/x', ['Host', 'a b'], undefined, 'http://localhost/x'],
    ['/x', [], undefined, 'http://localhost/x'],
    ['*', ['Host', 'a.example'], undefined, 'http://a.example/*'],
    ['ftp://c.example/y', ['Host', 'a.example'], undefined, 'ftp://c.example/y'],
    ['http://[nonsense/y', ['Host', 'a.example'], undefined, 'http://a.example/y'],
  ])('ServletRequest.toRequest() for %s, headers %j, base %s, has the URL %s', (target, rawHeaders, base, url) => {
    expect(new ServletRequest(head('OPTIONS', target, rawHeaders), null).toRequest(base).url).toBe(url);
  });

  it.each([
    ['/x', ['Host', 'a.example:444'], 'https://a.example:444'],
    ['/x', ['Host', 'a b'], 'https://localhost'],
    ['/x', [], 'https://localhost'],
    ['http://c.example:81/x', ['Host', 'a.example'], 'http://c.example:81'],
  ])(
    'ServletRequest.origin of %s over TLS, headers %j, is %s, and toRequest() has it',
    (target, rawHeaders, origin) => {
      const text = ['GET', target, '::1', '::2', '443', ...rawHeaders].join('\n');
      const request = new ServletRequest(RequestHead.of(text, true), null);
      expect([request.isSecure, request.origin, request.toRequest().url]).toEqual([true, origin, `${origin}/x`]);
      const saved = ServletRequest.fromSaved(request.toSaved());
      expect([saved.isSecure, saved.origin]).toEqual([true, origin]);
    },
  );

  it('ServletRequest.toRequest() has the signal of the request, and makes none before it is asked for', () => {
    const request = new ServletRequest(head('GET', '/x', ['Host', 'a.example']), null);
    const [early, late] = [request.toRequest(), request.toRequest()];
    expect(early).toBeInstanceOf(Request);
    expect(early.signal.aborted).toBe(false);
    let heard = 0;
    early.signal.addEventListener('abort', () => heard++);
    request.setGone();
    expect([heard, early.signal.aborted, late.signal.aborted, request.signal.aborted]).toEqual([1, true, true, true]);
    expect(new Request(late).url).toBe('http://a.example/x');
  });

  it('ServletRequest.toRequest() never leaves the site that the Host header names, whatever the path', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.webQueryParameters(), (path, query) => {
        const request = new ServletRequest(head('GET', `/${path}?${query}`, ['Host', 'a.example']), null).toRequest();
        expect(new URL(request.url).host).toBe('a.example');
      }),
    );
  });
});
