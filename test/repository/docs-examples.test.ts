import { ServletDirectory } from '../support/servlet-directory.ts';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HeldAs, StartedHost } from '../support/started-host.ts';

// The examples of docs/requests.md, as they stand there.
const PAGE = new URL('../../docs/requests.md', import.meta.url);

let started: StartedHost;

beforeAll(async () => {
  const page = await readFile(PAGE, 'utf8');
  const examples = [...page.matchAll(/^```ts\n\/\/ (\w+\.ts)\n([^]*?)^```$/gm)];
  const servlets = Object.fromEntries(examples.map(([, file, code]) => [file!, code!]));
  assert.equal(examples.length, page.match(/^```ts$/gm)?.length);
  const heldAs: HeldAs = Object.fromEntries(
    Object.keys(servlets).map((file) => [file, { cell: 'examples', spareThreads: 0 }]),
  );
  started = await StartedHost.start(servlets, {}, heldAs);
});

afterAll(() => started[Symbol.asyncDispose]());

async function jsonOf(path: string, init?: RequestInit): Promise<unknown> {
  return (await fetch(`${started.url}/${path}`, init)).json();
}

describe('docs/requests.md', () => {
  it('request.ts shows what came', async () => {
    expect(await jsonOf('request?q=x', { headers: { 'user-agent': 'me' } })).toEqual({
      method: 'GET',
      path: '/request',
      agent: 'me',
      client: '127.0.0.1',
      here: `127.0.0.1:${started.host.port}`,
      q: 'x',
    });
  });

  it('fields.ts reads fields, and answers 400 when one is missing', async () => {
    const body = new URLSearchParams('name=%C3%A9&color=red&color=blue&agree=');
    expect(await jsonOf('fields?note=n', { method: 'POST', body })).toEqual({
      name: 'é',
      note: 'n',
      colors: ['red', 'blue'],
      isAgreed: true,
      bytes: 2,
    });
    expect((await fetch(`${started.url}/fields`)).status).toBe(400);
  });

  it('files.ts reads files', async () => {
    const body = new FormData();
    body.append('photo', new Blob(['abc'], { type: 'image/png' }), 'a.png');
    expect(await jsonOf('files', { method: 'POST', body })).toEqual({
      name: 'a.png',
      type: 'image/png',
      size: 3,
      hash: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
  });

  it('count.ts counts a form’s bytes', async () => {
    const body = new FormData();
    body.append('a', 'x'.repeat(500));
    const response = await fetch(`${started.url}/count`, { method: 'POST', body });
    expect(Number.parseInt(await response.text(), 10)).toBeGreaterThan(600);
  });

  it.each([
    ['text', 200, 'text/plain', 'Hello'],
    ['xexpr', 200, 'text/html; charset=utf-8', '<p class="big">Hello</p>'],
    ['json', 200, 'application/json; charset=utf-8', '{"hello":"world"}'],
    ['made', 201, 'text/html; charset=utf-8', '<p>Kept.</p>'],
    ['empty', 204, null, ''],
    ['moved', 301, null, ''],
    ['', 200, 'text/html; charset=utf-8', '<p>Hello</p>'],
  ])('responses.ts answers with kind %s', async (kind, status, type, body) => {
    const response = await fetch(`${started.url}/responses?kind=${kind}`, { redirect: 'manual' });
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      status,
      type,
      body,
    ]);
  });

  it('lines.ts streams', async () => {
    expect(await (await fetch(`${started.url}/lines?lines=3`)).text()).toBe('line 1\nline 2\nline 3\n');
  });

  it('ticks.ts sends events', async () => {
    const response = await fetch(`${started.url}/ticks`);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('tick 2')) text += (await reader.read()).value;
    expect(text).toMatch(/^event: tick\nid: 1\ndata: tick 1\n\nevent: tick\nid: 2\n/);
    await reader.cancel();
    await sleep(0);
  });
});

describe('docs/testing.md', () => {
  it('sum.test.ts passes with the servlet of README.md', async () => {
    const page = await readFile(new URL('../../docs/testing.md', import.meta.url), 'utf8');
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const example = /^```ts\n\/\/ sum\.test\.ts\n([^]*?)^```$/m.exec(page)?.[1] ?? '';
    const servlet = /^```ts\n\/\/ greetings\/sum\.ts\n([^]*?)^```$/m.exec(readme)?.[1] ?? '';
    using directory = new ServletDirectory({ 'sum.ts': servlet });
    const kit = new URL('../../packages/host/src/testing/index.ts', import.meta.url).href;
    const code = example
      .replace("'@custodian/host/testing'", JSON.stringify(kit))
      .replace("import { test } from 'node:test';", 'const runs = [];\nconst test = (_, run) => runs.push(run);');
    const file = directory.write('sum.test.ts', `${code}\nexport default runs;\n`);
    const { default: runs } = (await import(/* @vite-ignore */ file)) as { default: (() => Promise<void>)[] };
    expect(runs).toHaveLength(1);
    await runs[0]?.();
  });
});
