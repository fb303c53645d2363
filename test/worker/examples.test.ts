import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import clock from '../../examples/clock.ts';
import download from '../../examples/download.ts';
import hello from '../../examples/hello.ts';
import index from '../../examples/index.ts';
import many from '../../examples/many.ts';
import one from '../../examples/one.ts';
import reply from '../../examples/reply.ts';
import slow from '../../examples/slow.ts';
import sum from '../../examples/sum.ts';
import throws from '../../examples/throws.ts';
import two from '../../examples/two.ts';
import upload from '../../examples/upload.ts';
import { encodeForm } from '@custodian/protocol';
import { MultipartForm } from '../../packages/worker/src/http/multipart-form.ts';
import { toReply } from '../../packages/worker/src/http/reply.ts';
import { ServletRequest } from '../../packages/worker/src/http/request.ts';

const DIRECTORY = new URL('../../examples/', import.meta.url);

function request(url: string, body: string[] | null = null): ServletRequest {
  const rest = [...(body ?? [])].map((piece) => Buffer.from(piece));
  const head = { method: body === null ? 'GET' : 'POST', url, clientIp: '::1', rawHeaders: [], hasBody: body !== null };
  return new ServletRequest(head as never, body === null ? null : { next: async () => rest.shift() ?? null });
}

async function textOf(result: unknown): Promise<string> {
  const { body } = await toReply(result, 'example');
  return typeof body === 'string'
    ? body
    : Buffer.concat(await Array.fromAsync(body as AsyncIterable<Uint8Array>)).toString();
}

/** The one form of a page: where it goes, how, and its fields. */
function formOf(page: string): {
  action: string | undefined;
  method: string | undefined;
  fields: Record<string, string | undefined>;
} {
  const attribute = (tag: string, name: string): string | undefined =>
    new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  const form = /<form[^>]*>/.exec(page)?.[0] ?? '';
  const inputs = page.match(/<input[^>]*>/g) ?? [];
  return {
    action: attribute(form, 'action'),
    method: attribute(form, 'method'),
    fields: Object.fromEntries(inputs.map((input) => [attribute(input, 'name'), attribute(input, 'value')])),
  };
}

describe('examples', () => {
  it('hello is the tutorial’s page', async () => {
    expect(await textOf(hello())).toBe('<html><body>Hello, World!</body></html>');
  });

  it('many asks for a number, and reply shows as many hellos', async () => {
    expect(formOf(await textOf(many()))).toEqual({
      action: '/reply',
      method: 'get',
      fields: { number: '', hidden: '', enter: 'Enter' },
    });
    const page = await textOf(reply(request('/reply?number=3&hidden=&enter=Enter')));
    expect(page).toContain('<body> hello hello hello</body>');
  });

  it('reply without a number is an error', () => {
    expect(() => reply(request('/reply'))).toThrow('Cannot read the field "number": it was not sent');
  });

  it('sum, one and two add by a hidden field', async () => {
    expect(formOf(await textOf(sum())).action).toBe('/one');
    const second = formOf(await textOf(one(request('/one?number=3&hidden=&enter=Enter'))));
    expect([second.action, second.fields['hidden']]).toEqual(['/two', '3']);
    expect(await textOf(two(request('/two?number=4&hidden=3&enter=Enter')))).toContain('The sum is 7');
  });

  it('one escapes what it carries along', async () => {
    const page = await textOf(one(request('/one?number=%22%3E%3Cscript%3E')));
    expect(page).toContain('value="&quot;&gt;&lt;script&gt;"');
  });

  it('clock tells the time, slow answers in time, throws throws', async () => {
    expect(await textOf(clock())).toMatch(/<time datetime="\d{4}-\d\d-\d\dT[\d:.]+Z">/);
    expect(await textOf(slow(request('/slow?ms=5')))).toContain('Answered after 5 ms');
    expect(throws).toThrow('this example always fails');
  });

  it('download streams as many megabytes as it declares', async () => {
    const result = await toReply(download(request('/download?mb=2')), 'download');
    expect(result.bodyBytes).toBe(2 * 2 ** 20);
    let bytes = 0;
    for await (const piece of result.body as AsyncIterable<Uint8Array>) bytes += piece.length;
    expect(bytes).toBe(2 * 2 ** 20);
    expect(await toReply(download(request('/download?mb=x')), 'download')).toMatchObject({ status: 400 });
  });

  it('upload shows size and hash of each file that is posted', async () => {
    expect(await textOf(upload(request('/upload')))).not.toContain('<ul');
    const part = { charset: 'utf-8', type: 'text/plain', headers: [], bytes: 3, value: null, name: 'file' };
    const posted = request('/upload', []);
    const form = encodeForm({ id: '1', boundary: 'B', parts: [{ ...part, filename: 'a<b.txt' }] });
    posted.setMultipart(
      new MultipartForm(Buffer.concat(form), async function* () {
        yield Buffer.from('abc');
      }),
    );
    expect(await textOf(upload(posted))).toContain(
      '<li>a&lt;b.txt: 3 bytes of text/plain, SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad</li>',
    );
  });

  it('index links to every example that a visitor starts at', async () => {
    const page = await textOf(index());
    const linked = new Set([...page.matchAll(/href="\/([\w-]+)/g)].map((match) => match[1]));
    const servlets = readdirSync(DIRECTORY).filter((file) => file.endsWith('.ts'));
    const names = servlets.map((file) => file.replace(/\.ts$/, ''));
    expect(names.filter((name) => !linked.has(name)).sort()).toEqual(['index', 'one', 'reply', 'two']);
  });

  it('examples import only @custodian/worker, hono and what Node has', () => {
    const imported = readdirSync(DIRECTORY).flatMap((file) =>
      [...readFileSync(new URL(file, DIRECTORY), 'utf8').matchAll(/from '([^']+)'/g)].map((match) => match[1]),
    );
    expect(new Set(imported)).toEqual(new Set(['@custodian/worker', 'hono', 'node:crypto']));
  });
});
