import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Host, serve } from '../../packages/host/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';

const FLOW = `import { html, sendSuspend, type ServletRequest } from '@custodian/worker';

interface Order { item: string }

export default async function shop(request: ServletRequest) {
  const order: Order = await askOrder(request);
  return html\`You ordered \${order.item}\`;
}

async function askOrder(request: ServletRequest): Promise<Order> {
  const reply = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  const item: string = reply.query.get('item') ?? 'nothing';
  if (item.includes('bomb')) throw new Error('we do not sell <' + item + '>');
  return { item };
}
`;
const PLAIN = `import { html } from '@custodian/worker';
type Never = never;
export default () => {
  const nothing = null as unknown as { field: string };
  return html\`\${nothing.field}\`;
};
`;
const UNSAFE = `import { html, sendSuspend } from '@custodian/worker';
const ask = (label: string) => sendSuspend((url) => html\`\${label} <a href="\${url}">on</a>\`);
export default async function start() {
  const answers = await Promise.all(['a', 'b'].map(async (label) => ask(label)));
  return html\`\${answers.length}\`;
}
`;
const FLOATING = `import { html, sendSuspend } from '@custodian/worker';
export default async function start() {
  void sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  return 'not reached';
}
`;
const SYNTAX = `import { sendSuspend } from '@custodian/worker';
export default async function start() {
  const x: number = await sendSuspend(;
}
`;
const TIMER = `import { html, sendSuspend } from '@custodian/worker';
interface Box { of: string }
const later = (box: Box) => {
  throw new TypeError('a timer opened a box of ' + box.of, { cause: new Error('underneath') });
};
export default async function start() {
  await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  const box: Box = { of: 'bees' };
  setTimeout(() => later(box), 5);
  await new Promise(() => {});
}
`;
const REJECTING = `interface Box { of: string }
async function open(box: Box) {
  await null;
  throw new Error('nobody waits for a box of ' + box.of);
}
export default async function start() {
  void open({ of: 'wasps' });
  await new Promise(() => {});
}
`;
const MAKER = `import { html, sendSuspend } from '@custodian/worker';
interface Name { value: string }
export default async function start() {
  const name: Name | null = await ask();
  return name.value;
}
async function ask(): Promise<Name> {
  const reply = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  const age = Number(reply.bindings.single('age'));
  await sendSuspend((url) => html\`\${page(age)} <a href="\${url}">on</a>\`);
  return { value: '' };
}
const page = (age: number): string => {
  throw new RangeError('too young: ' + age);
};
`;
const SERVLETS = {
  'shop.ts': FLOW,
  'plain.ts': PLAIN,
  'unsafe.ts': UNSAFE,
  'floating.ts': FLOATING,
  'syntax.ts': SYNTAX,
  'timer.ts': TIMER,
  'rejecting.ts': REJECTING,
  'maker.ts': MAKER,
};

const unescape = (html: string): string =>
  html.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

describe('errors in development', () => {
  let directory: ServletDirectory;
  let host: Host;
  let visitor: Visitor;
  beforeAll(async () => {
    directory = new ServletDirectory(SERVLETS);
    host = await serve({ servlets: directory.path, isDevelopment: true });
    visitor = new Visitor(host.url);
  });
  afterAll(async () => {
    await host.close();
    directory[Symbol.dispose]();
  });

  test('an error after a suspension shows the line, the frames across the suspension, the request and the page it came from', async () => {
    const first = await visitor.get('/shop');
    const [url] = continuationsOf(first);
    const page = await visitor.get(`${url}?item=bomb%3Cscript%3E`, { headers: { Referer: `${host.url}/shop` } });
    expect(page.status).toBe(500);
    expect(page.text).not.toContain('<script>');
    const text = unescape(page.text);
    expect(text).toMatch(/> 13 \| {3}if \(item\.includes\('bomb'\)\) throw new Error/);
    expect(text).toContain('Error: we do not sell <bomb<script>>');
    expect(text).toMatch(/at (?:async )?askOrder .*shop\.ts:13:\d+/);
    expect(text).toMatch(/at (?:async )?shop .*shop\.ts:6:\d+/);
    expect(text).toContain(`request: GET ${url}?item=bomb%3Cscript%3E`);
    expect(text).toContain(`from the page: ${host.url}/shop`);
  });

  test('an error of a servlet without continuations shows its line', async () => {
    const text = unescape((await visitor.get('/plain')).text);
    expect(text).toMatch(/> 5 \| {3}return html`\$\{nothing\.field\}`/);
    expect(text).toContain('TypeError');
  });

  test('an unsafe context shows the await that received the capture, and the way out', async () => {
    const page = await visitor.get('/unsafe');
    const text = unescape(page.text);
    expect(page.status).toBe(500);
    expect(text).toContain('unsafe context');
    expect(text).toContain('way out:');
    expect(text).toMatch(/> 4 \| {3}const answers = await Promise\.all/);
  });

  test('a capture that nobody awaits fails its request at once, and the thread lives on', async () => {
    const begun = performance.now();
    const page = await visitor.get('/floating');
    expect([page.status, unescape(page.text).includes('unsafe context')]).toEqual([500, true]);
    expect(performance.now() - begun).toBeLessThan(4000);
    expect(host.ledger.obituaries.filter(({ servlet }) => servlet === 'floating')).toEqual([]);
  });

  test('an error in a timer shows the line, the callers and the cause', async () => {
    const page = await visitor.follow(await visitor.get('/timer'));
    const text = unescape(page.text);
    expect(page.status).toBe(500);
    expect(text).toContain("> 4 |   throw new TypeError('a timer opened a box of ' + box.of");
    expect(text).toMatch(
      /TypeError: a timer opened a box of bees\n +at later \(.*timer\.ts:4:9\)\n +at .*timer\.ts:9:20/,
    );
    expect(text).toContain('caused by: Error: underneath');
  });

  test('a rejection that nobody handles shows the line', async () => {
    const page = await visitor.get('/rejecting');
    const text = unescape(page.text);
    expect(page.status).toBe(500);
    expect(text).toContain("> 4 |   throw new Error('nobody waits for a box of ' + box.of);");
    expect(text).toMatch(/at open \(.*rejecting\.ts:4:9\)/);
  });

  test('an error that this library throws after a suspension shows the line that called it, and its callers', async () => {
    const page = await visitor.follow(await visitor.get('/maker'));
    const text = unescape(page.text);
    expect(page.status).toBe(400);
    expect(text).toContain(">  9 |   const age = Number(reply.bindings.single('age'));");
    expect(text).toMatch(/at ask \(.*maker\.ts:9:\d+\)\n +at async start \(.*maker\.ts:4:\d+\)/);
    expect(text).not.toMatch(/runFrames|processTicksAndRejections/);
  });

  test('an error of a page maker shows its line, and who had suspended', async () => {
    const page = await visitor.follow(await visitor.get('/maker'), { age: '7' });
    const text = unescape(page.text);
    expect(text).toContain("> 14 |   throw new RangeError('too young: ' + age);");
    expect(text).toMatch(
      /at page \(.*maker\.ts:14:9\)\n +at .*maker\.ts:10:\d+\)?\n +at async ask \(.*maker\.ts:10:\d+\)\n +at async start \(.*maker\.ts:4:\d+\)/,
    );
  });

  test('a module that can not be parsed shows its line', async () => {
    const page = await visitor.get('/syntax');
    expect(page.status).toBe(503);
    expect(unescape(page.text)).toMatch(/> 3 \| {3}const x: number = await sendSuspend\(;/);
  });
});

describe('errors in production', () => {
  test('the page has an id and nothing else, and the log has the error under it', async () => {
    const directory = new ServletDirectory(SERVLETS);
    const logs = mkdtempSync(join(tmpdir(), 'custodian-log-'));
    const logDestination = join(logs, 'host.log');
    const host = await serve({ servlets: directory.path, isDevelopment: false, log: 'events', logDestination });
    try {
      const visitor = new Visitor(host.url);
      const page = await visitor.get(`${continuationsOf(await visitor.get('/shop'))[0]}?item=bomb`);
      const id = /under ([0-9a-f]{12})/.exec(page.text)?.[1];
      expect(id).toBeDefined();
      expect(page.text).not.toMatch(/bomb|shop\.ts|askOrder/);
      const log = await eventually(
        () => readFileSync(logDestination, 'utf8'),
        (text) => text.includes('we do not sell'),
      );
      expect(log.split('\n').find((line) => line.includes('we do not sell'))).toContain(id);
    } finally {
      await host.close();
      directory[Symbol.dispose]();
      rmSync(logs, { recursive: true });
    }
  });
});
