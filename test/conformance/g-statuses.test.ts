import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOUNDARY } from '../support/form-body.ts';
import { StartedHost } from '../support/started-host.ts';

const SERVLETS = {
  fields: `export default async (request) => request.bindings.single('a') + ' ' + (await request.bytes()).length;`,
  json: `export default async (request) => JSON.stringify(await request.json());`,
  raw: `export const requestBody = 'raw';
    export default async (request) => request.bindings.size + ' ' + (await request.bytes()).length;`,
};

let started: StartedHost;
beforeAll(async () => {
  const limits = {
    headTimeoutMs: 500,
    bodyTimeoutMs: 500,
    bodyMaxBytes: 1000,
    requestLineMaxBytes: 500,
    headerMaxBytes: 500,
    headersMaxCount: 20,
    formFilesMaxCount: 1,
  };
  started = await StartedHost.start(SERVLETS, { limits });
  await started.warm('/fields?a=1', '/json', '/raw');
}, 60_000);
afterAll(() => started[Symbol.asyncDispose]());

const FORM = 'Content-Type: application/x-www-form-urlencoded\r\n';
const MULTIPART = `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n`;
const FILE = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n`;
const post = (path: string, headers: string, body: string | Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${body.length}\r\n\r\n`),
    Buffer.from(body as string),
  ]);
const GZIPPED = gzipSync('a=1');

describe('G. what is wrong with a request is said by the status of RFC 9110', () => {
  it.each<[string, number, string, string | Buffer]>([
    ['garbage', 400, 'REQUEST_MALFORMED', 'what?\r\n\r\n'],
    ['two Host headers', 400, 'REQUEST_HOST', 'GET /fields HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    [
      'a form with parts that have no name',
      400,
      'REQUEST_FORM',
      post('/fields', MULTIPART, `--${BOUNDARY}\r\n\r\nx\r\n--${BOUNDARY}--`),
    ],
    ['half a head', 408, 'LIMIT_HEAD_TIMEOUT', 'GET /fields HTTP/1.1\r\nHo'],
    ['half a body', 408, 'LIMIT_BODY_TIMEOUT', 'POST /fields HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf'],
    ['a form without a length', 411, 'REQUEST_LENGTH', `POST /fields HTTP/1.1\r\nHost: a\r\n${MULTIPART}\r\n${FILE}`],
    ['a long body', 413, 'LIMIT_BODY', 'POST /fields HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n'],
    ['too many files', 413, 'LIMIT_FORM_FILES', post('/fields', MULTIPART, `${FILE}${FILE}--${BOUNDARY}--\r\n`)],
    ['a long address', 414, 'LIMIT_REQUEST_LINE', `GET /fields?${'a'.repeat(500)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    [
      'a compressed form with files',
      415,
      'REQUEST_CONTENT_CODING',
      post('/fields', `${MULTIPART}Content-Encoding: gzip\r\n`, GZIPPED),
    ],
    ['a long header', 431, 'LIMIT_HEADER', `GET /fields HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(500)}\r\n\r\n`],
    ['many headers', 431, 'LIMIT_HEADERS_COUNT', `GET /fields HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(20)}\r\n`],
  ])('%s is %d %s, and the connection is closed', async (_name, status, code, request) => {
    const client = await started.connect();
    client.write(request);
    const response = await client.response();
    expect([response.status, response.body.toString()]).toEqual([status, expect.stringContaining(code)]);
    expect(response.headers.get('connection')).toEqual(['close']);
    expect(response.headers.get('accept-encoding')).toEqual(status === 415 ? ['identity'] : undefined);
    expect((await client.rest()).length).toBe(0);
    expect(client.error).toBeNull();
    expect(started.host.ledger.refusals.get(code)).toBeGreaterThan(0);
  });

  it.each<[string, number, string, Buffer]>([
    ['a field that is missing', 400, 'SERVLET_BINDING', post('/fields', FORM, 'b=1')],
    ['JSON that is none', 400, 'SERVLET_BODY_JSON', post('/json', '', '{')],
    ['a compressed form', 415, 'SERVLET_BODY_CODING', post('/fields', `${FORM}Content-Encoding: gzip\r\n`, GZIPPED)],
    ['compressed JSON', 415, 'SERVLET_BODY_CODING', post('/json', 'Content-Encoding: br\r\n', GZIPPED)],
  ])('%s is %d %s, and the connection stays', async (_name, status, code, request) => {
    const client = await started.connect();
    client.write(request);
    const response = await client.response();
    expect([response.status, response.body.toString()]).toEqual([status, expect.stringContaining(code)]);
    expect(response.headers.get('accept-encoding')).toEqual(status === 415 ? ['identity'] : undefined);
    expect((await client.get('/fields?a=still')).body.toString()).toBe('still 0');
  });

  it.each([
    ['an identity coding', '/fields', `${FORM}Content-Encoding: identity\r\n`, 'a=1', '1 3'],
    [
      'a compressed form for a servlet that wants it raw',
      '/raw',
      `${FORM}Content-Encoding: gzip\r\n`,
      GZIPPED,
      `0 ${GZIPPED.length}`,
    ],
    ['a compressed body that is no form', '/fields?a=1', 'Content-Encoding: gzip\r\n', GZIPPED, `1 ${GZIPPED.length}`],
  ])('%s is served', async (_name, path, headers, body, answer) => {
    const client = await started.connect();
    client.write(post(path, headers, body));
    expect((await client.response()).body.toString()).toBe(answer);
  });
});
