import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../../packages/host/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { BOUNDARY, formBody, formHead, formRequest } from '../support/form-body.ts';
import { HostProcess } from '../support/host-process.ts';
import { descriptorsOf, residentBytes } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { type HeldAs, StartedHost } from '../support/started-host.ts';
import { WireClient } from '../support/wire-client.ts';

const MB = 1 << 20;
const ASKS = JSON.stringify(new URL('../../packages/worker/src/asks.ts', import.meta.url).href);

/** Shows each field, and of each file its name, type, size and the beginning of its content. */
const SHOW = `
  export default async (request) => {
    const shown = [];
    for (const [name, value] of request.bindings)
      shown.push(typeof value === 'string' ? [name, value] : [name, value.filename, value.type, value.size, (await value.text()).slice(0, 20)]);
    return JSON.stringify(shown);
  };`;

/** Counts the bytes of all its files, as they are streamed. */
const COUNT = `
  export default async (request) => {
    let bytes = 0;
    for (const file of request.bindings.files()) for await (const piece of file.stream()) bytes += piece.length;
    return String(bytes);
  };`;

const RAW = `
  export const requestBody = 'raw';
  export default async (request) => {
    let pieces = 0, bytes = 0;
    for await (const piece of request.body) { pieces++; bytes += piece.length; }
    return JSON.stringify([pieces > 1, bytes, [...request.bindings]]);
  };`;

const SERVLETS = {
  show: SHOW,
  overlapping: SHOW,
  single: SHOW,
  files: SHOW,
  fields: SHOW,
  parts: SHOW,
  field: SHOW,
  file: SHOW,
  head: SHOW,
  large: COUNT,
  all: `
    export default async (request) => {
      const files = request.bindings.files('f');
      const once = await Promise.all(files.map((file) => file.text()));
      const twice = await Promise.all(files.map((file) => file.text()));
      return JSON.stringify([once, twice]);
    };`,
  peek: `
    export default async (request) => {
      const peeked = [];
      for (const file of request.bindings.files()) for await (const piece of file.stream()) { peeked.push(piece[0]); break; }
      return peeked.join();
    };`,
  empty: `
    export default ({ bindings }) =>
      JSON.stringify([bindings.has('f'), bindings.file('f') === undefined, bindings.files().length, bindings.size]);`,
  rebuilt: `
    export default async (request) => {
      if (!request.query.has('web')) return JSON.stringify([await request.text(), true]);
      const web = request.toRequest();
      const text = await web.text();
      return JSON.stringify([text, web.headers.get('content-length') === String(Buffer.byteLength(text))]);
    };`,
  raw: RAW,
  web: `
    export default {
      async fetch(request) {
        const data = await request.formData();
        return Response.json([data.get('a'), data.get('f').name, await data.get('f').text(), request.constructor === Request]);
      },
    };`,
  broken: `throw new Error('no such luck');`,
  throws: `export default () => { throw new Error('no'); };`,
  never: `export default () => 'done';`,
  spins: `export default (request) => { if (request.method === 'POST') for (;;); return ''; };`,
  late: `
    let last = null;
    export default async (request) => {
      const before = last;
      last = request.bindings.file('f');
      if (before === null) return 'kept';
      try { return await before.text(); } catch (error) { return error.code; }
    };`,
  owner: `
    import { ask } from ${ASKS};
    let form = '';
    const parse = JSON.parse;
    JSON.parse = (text, ...rest) => { const value = parse(text, ...rest); if (value?.boundary) form = value.id; return value; };
    export default async (request) => {
      const answer = await ask('upload', { form, part: 0 });
      const own = Buffer.from(await answer.bytes(1000)).toString();
      return (await fetch(request.query.get('thief') + '?form=' + form)).text().then((theirs) => own + ' ' + theirs);
    };`,
  thief: `
    import { ask } from ${ASKS};
    export default (request) =>
      ask('upload', { form: request.query.get('form'), part: 0 }).then(() => 'stolen', (error) => error.code);`,
  slow: `
    let last = 'none';
    export default async (request) => {
      if (request.method === 'GET') return last;
      try {
        for (;;) { await new Promise((resolve) => setTimeout(resolve, 20)); await request.bindings.file('f').bytes(); }
      } catch (error) { last = error.code + ' ' + request.signal.aborted; throw error; }
    };`,
};

/** Clocks are not the matter here, and the machine may be busy. */
const PATIENT = { wallMs: 60_000, cpuMs: 60_000, queueTimeoutMs: 60_000 };
const ONE_THREAD = { limits: { threadsMaxCount: 1 } };

/** What is held otherwise than the rest: a thread for each request, all in one process. */
const HELD: HeldAs = {
  overlapping: { unit: 'servlet' },
  single: ONE_THREAD,
  late: ONE_THREAD,
  slow: ONE_THREAD,
  files: { limits: { formFilesMaxCount: 2 } },
  fields: { limits: { formFieldsMaxCount: 2 } },
  parts: { limits: { formPartsMaxCount: 2 } },
  field: { limits: { formFieldMaxBytes: 8192 } },
  file: { limits: { formFileMaxBytes: 2 * MB } },
  head: { limits: { formPartHeadMaxBytes: 100 } },
  spins: { cell: 'servlet', limits: { cpuMs: 200 } },
  large: { limits: { formFileMaxBytes: 64 * MB } },
  raw: { limits: { bodyMaxBytes: 10 * MB } },
};

/** One host for all that does not end it. */
let started: StartedHost;

beforeAll(async () => {
  const heldAs = Object.fromEntries(
    Object.keys(SERVLETS).map((name) => [name, { cell: 'all', spareThreads: 0, ...HELD[name] }]),
  );
  started = await StartedHost.start(
    SERVLETS,
    { profile: 'trusted', limits: { ...PATIENT, bodyTimeoutMs: 3000, spoolMaxBytes: 16 * MB } },
    heldAs,
  );
});

afterAll(async () => {
  await noSpools();
  await started[Symbol.asyncDispose]();
});

/** Temporary files that this process holds: they have no names any more. */
function spools(): string[] {
  return descriptorsOf(process.pid).flatMap((descriptor) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${descriptor}`);
      return target.includes('/uploads/') ? [target] : [];
    } catch {
      return [];
    }
  });
}

async function noSpools(): Promise<void> {
  await eventually(spools, (found) => found.length === 0, { what: 'that no spool is left' });
}

function form(parts: Record<string, string | Blob>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    if (typeof value === 'string') data.append(name, value);
    else data.append(name, value, `${name}.bin`);
  }
  return data;
}

function blob(bytes: number): Blob {
  return new Blob([Buffer.alloc(bytes, 'x')]);
}

async function post(
  url: string,
  body: FormData | Buffer,
  headers: Record<string, string> = {},
): Promise<[number, string]> {
  const response = await fetch(url, { method: 'POST', body: body as FormData, headers });
  return [response.status, await response.text()];
}

describe('multipart forms', () => {
  it('a servlet sees fields and files of any size, in order', async () => {
    const body = form({
      a: '1',
      small: new Blob(['hello'], { type: 'text/plain;charset=utf-8' }),
      large: blob(3 * MB),
      b: 'é',
    });
    expect(JSON.parse((await post(`${started.url}/show?q=1`, body))[1])).toEqual([
      ['q', '1'],
      ['a', '1'],
      ['small', 'small.bin', 'text/plain', 5, 'hello'],
      ['large', 'large.bin', 'application/octet-stream', 3 * MB, 'x'.repeat(20)],
      ['b', 'é'],
    ]);
    await noSpools();
  });

  it('100 MB go through a servlet with a cap of 50 MB, and neither it nor the acceptor grows with them', async () => {
    using directory = new ServletDirectory({
      count: COUNT.replace(
        'return String(bytes)',
        'return JSON.stringify([bytes, process.memoryUsage().arrayBuffers])',
      ),
    });
    await using host = await HostProcess.start(process.execPath, {
      servlets: directory.path,
      limits: { ...PATIENT, heapMb: 50, formFileMaxBytes: 200 * MB },
    });
    const url = `http://127.0.0.1:${host.port}/count`;
    await post(url, form({ warm: blob(2 * MB) }));
    await host.ask({ type: 'forget-peak' });
    const atFirst = residentBytes(host.pid).now;
    const [status, text] = await post(url, form({ large: blob(100 * MB) }));
    const [bytes, held] = JSON.parse(text) as [number, number];
    expect([status, bytes]).toEqual([200, 100 * MB]);
    expect(held).toBeLessThan(32 * MB);
    expect(await host.obituaries()).toEqual([]);
    // V8 lets up to 64 MB of buffers that were read into become garbage before it collects them.
    expect((residentBytes(host.pid).peak - atFirst) / MB).toBeLessThan(72);
  });

  it('a hundred files can be read at once, and each again', async () => {
    const body = new FormData();
    const contents = Array.from({ length: 100 }, (_, index) => `${index}`.repeat(900));
    for (const content of contents) body.append('f', new Blob([content]), 'f');
    expect(JSON.parse((await post(`${started.url}/all`, body))[1])).toEqual([contents, contents]);
  });

  it('a servlet whose requests overlap reads each request’s own files', async () => {
    const asked = Array.from({ length: 12 }, async (_, index) => {
      const [, text] = await post(`${started.url}/overlapping`, form({ f: new Blob([`${index}`.repeat(200_000)]) }));
      return (JSON.parse(text) as unknown[][])[0]?.[4];
    });
    expect(await Promise.all(asked)).toEqual(asked.map((_, index) => `${index}`.repeat(20).slice(0, 20)));
  });

  it('a servlet may stop in the middle of a file, and read the next one', async () => {
    const body = form({ a: blob(2 * MB), b: blob(2 * MB), c: blob(2 * MB) });
    for (let count = 0; count < 3; count += 1)
      expect(await post(`${started.url}/peek`, body)).toEqual([200, '120,120,120']);
    await noSpools();
  });

  it('a slow upload holds no thread', async () => {
    await started.warm('/single');
    const body = formBody([{ name: 'f', filename: 'f', content: 'x'.repeat(2 * MB) }]);
    const client = await started.connect();
    client.write(formHead('/single', body.length));
    client.write(body.subarray(0, MB + MB / 2));
    await eventually(spools, (found) => found.length === 1, { what: 'the spool' });
    expect(await (await fetch(`${started.url}/single?a=1`)).text()).toBe('[["a","1"]]');
    client.write(body.subarray(MB + MB / 2));
    expect((await client.response()).body.toString()).toContain(`${2 * MB}`);
  });

  it('what was left empty is sent as such', async () => {
    const body = formBody([{ name: 'f', filename: '', content: '' }]);
    const [, text] = await post(`${started.url}/empty`, body, {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
    });
    expect(text).toBe('[true,true,0,1]');
  });

  it('a form that is GET’s body is not looked at, and one of PUT’s is', async () => {
    const client = await started.connect();
    const request = formRequest('/show?q=1', formBody([{ name: 'a', content: '1' }])).toString('latin1');
    client.write(request.replace('POST', 'GET'));
    expect((await client.response()).body.toString()).toBe('[["q","1"]]');
    client.write(request.replace('POST', 'PUT'));
    expect((await client.response()).body.toString()).toBe('[["q","1"],["a","1"]]');
  });
});

describe('raw bodies', () => {
  const parts = [
    { name: 'a', content: '1' },
    { name: 'f', filename: 'f.txt', type: 'text/plain', content: 'hello\r\nworld' },
  ];

  it('a servlet that reads no bindings reads the body of the form that the host has read', async () => {
    const body = formBody(parts);
    const client = await started.connect();
    for (const path of ['/rebuilt', '/rebuilt?web']) {
      client.write(formRequest(path, body));
      expect(JSON.parse((await client.response()).body.toString())).toEqual([body.toString(), true]);
    }
  });

  it('a servlet that wants its bodies raw has a form as it arrives, from its first request on', async () => {
    const body = formBody([{ name: 'f', filename: 'f', content: 'x'.repeat(5 * MB) }]);
    for (let count = 0; count < 2; count += 1) {
      const client = await started.connect();
      client.write(formRequest('/raw?q=1', body));
      expect(JSON.parse((await client.response()).body.toString())).toEqual([true, body.length, [['q', '1']]]);
      expect(spools()).toEqual([]);
    }
    const client = await started.connect();
    client.write(
      'POST /raw HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=1',
    );
    expect(JSON.parse((await client.response()).body.toString())).toEqual([false, 3, []]);
  });

  it('a fetch servlet has a real Request, and reads a form with formData()', async () => {
    for (let count = 0; count < 2; count += 1) {
      const [, text] = await post(`${started.url}/web`, form({ a: '1', f: new Blob(['hello']) }));
      expect(JSON.parse(text)).toEqual(['1', 'f.bin', 'hello', true]);
    }
    const [status, page] = await post(`${started.url}/web`, form({ f: blob(2 * MB) }));
    expect([status, page.includes('LIMIT_BODY')]).toEqual([413, true]);
  });

  it('a servlet that can not be loaded says why to a form as well', async () => {
    const [status, page] = await post(`${started.url}/broken`, form({ a: '1' }));
    expect([status, page.includes('no such luck')]).toEqual([503, true]);
  });
});

describe('limits of forms', () => {
  it.each([
    ['files', 'formFilesMaxCount: 2', 'LIMIT_FORM_FILES', form({ a: blob(1), b: blob(1), c: blob(1) })],
    ['fields', 'formFieldsMaxCount: 2', 'LIMIT_FORM_FIELDS', form({ a: '', b: '', c: '' })],
    ['parts', 'formPartsMaxCount: 2', 'LIMIT_FORM_PARTS', form({ a: '', b: blob(1), c: '' })],
    ['field', 'formFieldMaxBytes: 8192', 'LIMIT_FORM_FIELD', form({ a: 'x'.repeat(8193) })],
    ['file', 'formFileMaxBytes: 2097152', 'LIMIT_FORM_FILE', form({ a: blob(2 * MB + 1) })],
    ['head', 'formPartHeadMaxBytes: 100', 'LIMIT_FORM_PART_HEAD', form({ ['x'.repeat(200)]: '' })],
  ])(
    'too much of %s is answered with 413 that names the limit, and the connection closes',
    async (path, limit, code, body) => {
      const encoded = new Response(body);
      const bytes = Buffer.from(await encoded.arrayBuffer());
      const client = await started.connect();
      client.write(
        `POST /${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${encoded.headers.get('content-type')}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
      );
      client.write(bytes);
      const { status, body: page } = await client.response();
      const text = page.toString();
      expect([status, text.includes(`<code>${code}</code>`), text.includes(`limit ${limit}`)]).toEqual([
        413,
        true,
        true,
      ]);
      await client.closed();
      await noSpools();
    },
  );

  it('an upload without end is stopped at its limit', async () => {
    const client = await started.connect();
    const start = formBody([{ name: 'f', filename: 'f', content: '' }]);
    client.write(formHead('/show', 1e12));
    client.write(start.subarray(0, start.indexOf('\r\n\r\n') + 4));
    const answered = client.response();
    let sent = 0;
    const piece = Buffer.alloc(MB, 'x');
    const sending = (async () => {
      while (sent < 100 && (await client.send(piece))) sent += 1;
    })();
    const { status, body } = await answered;
    expect([status, body.toString().includes('LIMIT_FORM_FILE')]).toEqual([413, true]);
    client.destroy();
    await sending;
    await noSpools();
  });

  it('a form that stalls, or drips, is answered with 408', async () => {
    await started.warm('/show');
    const body = formBody([{ name: 'f', filename: 'f', content: 'x'.repeat(3 * MB) }]);
    const stalling = await started.connect();
    stalling.write(formRequest('/show', body).subarray(0, 2 * MB));
    const dripping = await started.connect();
    dripping.write(formHead('/show', body.length));
    const drip = setInterval(() => dripping.write('-'), 100);
    for (const client of [stalling, dripping]) {
      const { status, body: page } = await client.response();
      expect([status, page.toString().includes('LIMIT_BODY_TIMEOUT')]).toEqual([408, true]);
    }
    clearInterval(drip);
    await noSpools();
  });

  it('more than spoolMaxBytes on disk is answered with 503, and the room comes back', async () => {
    const [status, page] = await post(`${started.url}/large`, form({ f: blob(17 * MB) }));
    expect([status, page.includes('LIMIT_SPOOL')]).toEqual([503, true]);
    for (let count = 0; count < 3; count += 1)
      expect(await post(`${started.url}/large`, form({ f: blob(10 * MB) }))).toEqual([200, `${10 * MB}`]);
  });

  it.each([
    ['no boundary', 'multipart/form-data', 400, 'REQUEST_FORM'],
    ['a boundary that is too long', `multipart/form-data; boundary=${'x'.repeat(200)}`, 400, 'REQUEST_FORM'],
    ['another boundary', 'multipart/form-data; boundary=other', 400, 'REQUEST_FORM'],
  ])('a form with %s is refused', async (_, type, status, code) => {
    const [found, page] = await post(`${started.url}/show`, formBody([{ name: 'a', content: '1' }]), {
      'content-type': type,
    });
    expect([found, page.includes(code)]).toEqual([status, true]);
  });

  it('a form that is compressed is refused with 415', async () => {
    const client = await started.connect();
    client.write(formRequest('/show', formBody([]), 'Content-Encoding: gzip\r\n'));
    const { status, body } = await client.response();
    expect([status, body.toString().includes('REQUEST_CONTENT_CODING')]).toEqual([415, true]);
  });

  it('a form that is cut short is refused when its client has closed its side, and forgotten when it is gone', async () => {
    await started.warm('/show');
    const body = formBody([{ name: 'f', filename: 'f', content: 'x'.repeat(3 * MB) }]);
    const chunked = await started.connect();
    chunked.write(
      `POST /show HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    chunked.write(`${MB.toString(16)}\r\n`);
    chunked.write(body.subarray(0, MB));
    chunked.write('\r\n0\r\n\r\n');
    expect((await chunked.response()).status).toBe(400);
    const gone = await started.connect();
    gone.write(formRequest('/show', body).subarray(0, 2 * MB));
    await eventually(spools, (found) => found.length === 1, { what: 'the spool' });
    gone.destroy();
    await noSpools();
  });
});

describe('where files lie', () => {
  it.each([
    ['the servlet throws', 'throws'],
    ['the servlet never reads it', 'never'],
    ['the thread is ended', 'spins'],
  ])('a file is gone when %s', async (_, path) => {
    await post(`${started.url}/${path}`, form({ f: blob(3 * MB) }));
    await noSpools();
    expect(started.host.custodian.describe().filter((line) => line.includes('form for'))).toEqual([]);
  });

  it('a file belongs to its connection, and has no name on disk', async () => {
    using directory = new ServletDirectory({
      hold: `
        export default async (request) => {
          if (request.method === 'GET') return '';
          await new Promise((resolve) => setTimeout(resolve, 500));
          return request.bindings.file('f').text();
        };`,
    });
    const uploads = join(directory.path, 'state/uploads');
    await using host = await serve({
      servlets: directory.file('hold'),
      stateDir: join(uploads, '..'),
      limits: PATIENT,
    });
    await (await fetch(`${host.url}/hold`)).text();
    const answered = post(`${host.url}/hold`, form({ f: blob(2 * MB) }));
    await eventually(spools, (found) => found.length === 1, { what: 'the spool' });
    const held = host.custodian.describe();
    const at = held.findIndex((line) => /^ *form for connection/.test(line));
    const depth = (held[at] as string).search(/\S/);
    expect(held.slice(0, at).findLast((line) => line.search(/\S/) < depth)).toMatch(/connection 127/);
    await eventually(
      () => readdirSync(uploads),
      (names) => names.length === 0,
      { what: 'that the file has no name' },
    );
    expect((await answered)[1]).toHaveLength(2 * MB);
    // Who takes the directory away takes nothing from who has a file there; the next one has nowhere to go.
    rmSync(uploads, { recursive: true });
    const [status, page] = await post(`${host.url}/hold`, form({ f: blob(2 * MB) }));
    expect([status, page.includes('CUSTODIAN_SPOOL')]).toEqual([503, true]);
  });

  it('closing the host in the middle of an upload leaves nothing', async () => {
    using directory = new ServletDirectory({ show: SHOW });
    await using host = await serve({ servlets: directory.file('show'), limits: PATIENT });
    await (await fetch(`${host.url}/show`)).text();
    const client = await WireClient.connect(host.port);
    const request = formRequest('/show', formBody([{ name: 'f', filename: 'f', content: 'x'.repeat(3 * MB) }]));
    client.write(request.subarray(0, 2 * MB));
    await eventually(spools, (found) => found.length === 1, { what: 'the spool' });
    await host.close();
    await noSpools();
    expect(host.custodian.describe()).toEqual([]);
    client.destroy();
  });

  it('a file can not be read when its request is answered', async () => {
    expect((await post(`${started.url}/late`, form({ f: blob(10) })))[1]).toBe('kept');
    expect((await post(`${started.url}/late`, form({ f: blob(10) })))[1]).toBe('SERVLET_FILE_GONE');
  });

  it('a servlet reads no file of another’s request, even if it knows its number', async () => {
    const [, text] = await post(`${started.url}/owner?thief=${started.url}/thief`, form({ f: new Blob(['secret']) }));
    expect(text).toBe('secret UPLOAD_GONE');
  });

  it('a client that goes away while its files are read ends the reading', async () => {
    await started.warm('/slow');
    const client = await started.connect();
    client.write(formRequest('/slow', formBody([{ name: 'f', filename: 'f', content: 'x'.repeat(MB / 2) }])));
    await sleep(300);
    // One that only closes its side may still be waiting for the answer.
    client.socket.resetAndDestroy();
    const ended = await eventually(
      async () => (await fetch(`${started.url}/slow`)).text(),
      (text) => text !== 'none',
      { what: 'the end of the reading' },
    );
    expect(ended).toBe('SERVLET_FILE_GONE true');
  });
});
