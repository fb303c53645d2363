import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Host, serve, type ServeOptions } from '../../packages/host/src/index.ts';
import { eventually } from '../support/eventually.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { continuationsOf, type Shown, Visitor } from '../support/visitor.ts';

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
const UNAWAITED = `import { html, sendSuspend, type ServletRequest } from '@custodian/worker';
async function ask(label: string) {
  const reply = await sendSuspend((url) => html\`\${label} <a href="\${url}">on</a>\`);
  return reply.query.get('n');
}
const ways: Record<string, () => unknown> = {
  async call() {
    return void ask('a');
  },
  async swallowed() {
    return await ask('b').catch(() => 0);
  },
  async callback() {
    ['c'].forEach(async (label) => {
      await ask(label);
    });
    return 'on';
  },
  async branch() {
    const both = async () => {
      await ask('d');
      await ask('e');
    };
    both();
    return 'on';
  },
};
export default async function start(request: ServletRequest) {
  return await ways[request.query.get('way')!]!();
}
`;
const LEFT = `import { html } from '@custodian/worker';
export default async function start() {
  void Promise.reject(new Error('nobody waits'));
  return html\`answered\`;
}
`;
const ANY = `import { html } from '@custodian/worker';
const fail = async (of: string): Promise<never> => {
  throw new RangeError('no ' + of);
};
export default async function start() {
  return html\`\${await Promise.any([fail('first'), fail('second')])}\`;
}
`;
const NATIVE = `import { html, native, sendSuspend } from '@custodian/worker';
const ask = () => sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
export default async function start() {
  const [reply] = await native(() => Promise.all([ask()]));
  return html\`\${reply.query.get('n')}\`;
}
`;
const BEHIND = `import { html, sendSuspend } from '@custodian/worker';
export default async function start() {
  await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  throw new Error('in front', { cause: new Error('behind') });
}
`;
const DEPTHS = `import { html, sendSuspend } from '@custodian/worker';
class Shop {
  async open(depth: number): Promise<string> {
    if (depth === 0) throw new Error('closed');
    const name = await this.open(depth - 1);
    return name + '!';
  }
}
export default async function start() {
  const name = await new Shop().open(2);
  await sendSuspend((url) => html\`<a href="\${url}">\${name}</a>\`);
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
const NO_PAGE = `import { html, sendBack, sendSuspend, withErrorsToBrowser, type ServletRequest } from '@custodian/worker';
type Way = string | null;
export default async function start(request: ServletRequest) {
  const way: Way = request.query.get('way');
  if (way === 'caught') {
    try {
      await noPage();
    } catch (error) {
      return (error as Error).message;
    }
  }
  if (way === 'guarded') return await withErrorsToBrowser(sendBack, noPage);
  if (way === 'maker') await noPage();
  if (way === 'sent') return await sendBack(5 as unknown as string);
  if (way === 'later') await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
}
async function noPage(): Promise<never> {
  await sendSuspend(() => undefined as unknown as string);
  throw new Error('not reached');
}
`;
const TWICE = `import { html, sendSuspend, type ServletRequest } from '@custodian/worker';

type Step<Name extends string> = { readonly name: Name; readonly n: number };
interface Totals {
  [key: string]: number;
}
declare const nowhere: Totals;

async function ask<Name extends string>(name: Name): Promise<Step<Name>> {
  const reply: ServletRequest = await sendSuspend((url: string) => html\`<a href="\${url}">\${name}</a>\`);
  return { name, n: checked(Number(reply.query.get('n')), name) };
}
function checked<N extends number>(n: N, name: string): N {
  if (n > 9) throw new RangeError(('<' + name + '> is 9 at most') satisfies string);
  return n;
}
export default async function start(): Promise<unknown> {
  const first = await ask('first');
  const totals: Totals = { first: first.n };
  const second = await ask('second' as const);
  return html\`\${(totals['first']! + second.n) as number}\`;
}
`;
const THROWN = `import { html, sendSuspend } from '@custodian/worker';
export default async function start() {
  const reply = await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  throw reply.query.has('null') ? null : 'just <text>';
}
`;
const LOADING = `interface Config { port: number }
const config = JSON.parse('{}') as Partial<Config>;
if (config.port === undefined) throw new Error('there is no <port>');
export default () => config.port;
`;
const LOADING_FLOW = `import { html, sendSuspend } from '@custodian/worker';
type Names = Record<string, string>;
const names: Names | null = null;
export const first = (names as unknown as Names)['first'];
export default async function start() {
  const reply = await sendSuspend((url) => html\`<a href="\${url}">\${first}</a>\`);
  return html\`\${reply.url}\`;
}
`;
const IMPORTING = (name: string): string => `import { html } from '@custodian/worker';
import { part } from './parts/${name}.ts';
export default () => html\`\${part}\`;
`;
const DEEP = (links: number, branches = links): string => `import { html, sendSuspend } from '@custodian/worker';
export default async function start() {
  await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  const list = { count: 0, next() { this.count++; return this; } };
  list
${'    .next()\n'.repeat(links)};
  if (list.count === -1) return 'no';
${Array.from({ length: branches }, (_, n) => `  else if (list.count === ${n + 1}) return 'there are ${n + 1}';`).join('\n')}
}
`;
/** Behind a mark of byte order. */
const MARKED = `\ufeffconst fail = (): never => { throw new Error('marked'); };
import { html, sendSuspend } from '@custodian/worker';
export default async function start() {
  await sendSuspend((url) => html\`<a href="\${url}">on</a>\`);
  fail();
}
`;
const SERVLETS = {
  'deep.mjs': DEEP(1000),
  'too-deep.mjs': DEEP(20_000, 0),
  'marked.ts': MARKED,
  'marked-plain.ts': `\ufeffexport default (): never => { throw new Error('marked'); };`,
  'marked-broken.ts': `\ufeffexport const a: number = (;\nimport '@custodian/worker';\nexport default () => 1; // sendSuspend`,
  'twice.ts': TWICE,
  'thrown.ts': THROWN,
  'loading.ts': LOADING,
  'loading-flow.ts': LOADING_FLOW,
  'importing.ts': IMPORTING('broken'),
  'unnamed.ts': IMPORTING('whole'),
  'absent.ts': IMPORTING('absent'),
  'without.ts': `import { html } from '@custodian/worker';\nimport {\n  part } from\n  'no-package/at-all';\nexport default () => html\`\${part}\`;\n`,
  'any.ts': ANY,
  'native.ts': NATIVE,
  'behind.ts': BEHIND,
  'enumerating.ts': `type Never = never;\nenum Colour { Red }\nexport default () => Colour.Red;\n`,
  'shop.ts': FLOW,
  'plain.ts': PLAIN,
  'unsafe.ts': UNSAFE,
  'floating.ts': FLOATING,
  'syntax.ts': SYNTAX,
  'timer.ts': TIMER,
  'rejecting.ts': REJECTING,
  'left.ts': LEFT,
  'unawaited.ts': UNAWAITED,
  'depths.ts': DEPTHS,
  'maker.ts': MAKER,
  'no-page.ts': NO_PAGE,
};

/** Nothing in reserve: each has one visitor at a time. */
const heldIn = (directory: ServletDirectory): ServeOptions => ({
  servlets: Object.keys(SERVLETS).map((name) => ({ file: directory.file(name), spareThreads: 0 })),
  warmCells: 0,
});

const unescape = (html: string): string =>
  html.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

describe('errors in development', () => {
  let directory: ServletDirectory;
  let host: Host;
  let visitor: Visitor;
  beforeAll(async () => {
    directory = new ServletDirectory(SERVLETS);
    directory.write('parts/broken.ts', 'type Part = string;\nexport const part: Part = (;\n');
    directory.write('parts/whole.ts', 'export const whole: number = 1;\n');
    host = await serve({ ...heldIn(directory), isDevelopment: true });
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

  test('code that nests deep runs; what nests deeper than there is stack for is refused with its line', async () => {
    expect((await visitor.follow(await visitor.get('/deep'))).text).toBe('there are 1000');
    const text = unescape((await visitor.get('/too-deep')).text);
    expect(text).toContain('Cannot compile the module: its code nests too deep here');
    expect(text).toMatch(/> +\d \| /);
  });

  test('a mark of byte order is not counted: the caret stands under the place', async () => {
    const under = (text: string, what: string): string | undefined => {
      const [, line = '', caret = ''] = /> 1 \| (.*)\n *\| ( *)\^/.exec(text) ?? [];
      return line.startsWith('\ufeff') ? 'a mark' : line.slice(caret.length, caret.length + what.length);
    };
    const compiled = await visitor.follow(await visitor.get('/marked'));
    expect(under(unescape(compiled.text), 'new Error')).toBe('new Error');
    expect(under(unescape((await visitor.get('/marked-plain')).text), 'new Error')).toBe('new Error');
    expect(under(unescape((await visitor.get('/marked-broken')).text), ';')).toBe(';');
  });

  test('an error after two suspensions shows the line below its types, each caller once, and the page before', async () => {
    const first = await visitor.get('/twice');
    const second = await visitor.follow(first, { n: '3' });
    const fail = async (from: Shown, n: string): Promise<[Shown, string]> => {
      const page = await visitor.get(`${continuationsOf(from)[0]}?n=${n}`, { headers: { Referer: from.url } });
      return [page, unescape(page.text)];
    };
    for (let times = 0; times < 2; times++) {
      const [page, text] = await fail(second, '12');
      expect([page.status, page.text.includes('<second>')]).toEqual([500, false]);
      expect(text).toMatch(/> 14 \| {3}if \(n > 9\) throw new RangeError\(\('<' \+ name/);
      expect(text).toMatch(
        /RangeError: <second> is 9 at most\n +at checked \(.*twice\.ts:14:20\)\n +at ask \(.*twice\.ts:11:21\)\n +at async start \(.*twice\.ts:20:18\)<\//,
      );
      expect(text).toContain(`request: GET ${continuationsOf(second)[0]}?n=12`);
      expect(text).toContain(`from the page: ${second.url}`);
    }
    const [, text] = await fail(first, '12');
    expect(text).toMatch(/RangeError: <first> [^]*at async start \(.*twice\.ts:18:17\)<\//);
    expect((await visitor.follow(second, { n: '4' })).text).toBe('7');
  });

  test('what is thrown and is no error is shown as what it is', async () => {
    const first = await visitor.get('/thrown');
    const text = await visitor.follow(first);
    expect([text.status, text.text.includes('<text>')]).toEqual([500, false]);
    expect(unescape(text.text)).toContain('just <text>');
    const nothing = await visitor.follow(first, { null: '' });
    expect([nothing.status, nothing.text.includes('null')]).toEqual([500, true]);
  });

  test.each([
    ['loading', /> 3 \| if \(config\.port === undefined\) throw new Error/],
    ['loading-flow', /> 4 \| export const first = \(names as unknown as Names\)\['first'\]/],
    ['importing', /parts\/broken\.ts:2:\d+\n[^]*> 2 \| export const part: Part = \(;/],
    ['unnamed', /> 2 \| import \{ part \} from '\.\/parts\/whole\.ts'/],
    [
      'absent',
      /absent\.ts:2:22\n[^]*> 2 \| import \{ part \} from '\.\/parts\/absent\.ts'[^]*Cannot find module '.*parts\/absent\.ts' imported from /,
    ],
    ['without', /> 4 \| {3}'no-package\/at-all'/],
    ['enumerating', /> 2 \| enum Colour \{ Red \}/],
  ])('a module that fails while it is loaded shows its line: %s', async (name, shows) => {
    const page = await visitor.get(`/${name}`);
    expect(page.status).toBe(503);
    expect(page.text).not.toContain('<port>');
    const text = unescape(page.text);
    expect(text).toMatch(shows);
    // Neither the library's calls nor Node's.
    expect(text).not.toMatch(/\n +at .*(?:node:|packages\/worker|piscina)/);
  });

  test('a directory of any name is no hindrance', async () => {
    const names = ['shop', 'plain', 'unsafe'] as const;
    const files = names.map((name) => directory.write(`My Söps (1)/${name}.ts`, SERVLETS[`${name}.ts`]));
    const other = await serve({ servlets: files, isDevelopment: true });
    try {
      const elsewhere = new Visitor(other.url);
      const shop = await elsewhere.follow(await elsewhere.get('/shop'), { item: 'bomb' });
      expect(unescape(shop.text)).toMatch(/My Söps \(1\)\/shop\.ts:13:\d+\n[^]*> 13 \|/);
      expect(unescape((await elsewhere.get('/plain')).text)).toMatch(/> 5 \| {3}return html/);
      const unsafe = unescape((await elsewhere.get('/unsafe')).text);
      expect(unsafe).toMatch(/> 4 \| {3}const answers = await Promise\.all/);
      expect(unsafe).toMatch(/foreign: +Array\.map/);
    } finally {
      await other.close();
    }
  });

  test('an error of a servlet without continuations shows its line', async () => {
    const text = unescape((await visitor.get('/plain')).text);
    expect(text).toMatch(/> 5 \| {3}return html`\$\{nothing\.field\}`/);
    expect(text).toContain('TypeError');
  });

  test('an error before a suspension shows each caller once', async () => {
    const text = unescape((await visitor.get('/depths')).text);
    expect(text).toMatch(
      /Error: closed\n( +at (?:async )?Shop\.open \(.*depths\.ts:4:28\)\n)( +at Shop\.open \(.*depths\.ts:5:29\)\n){2} +at start \(.*depths\.ts:10:33\)/,
    );
  });

  test.each([
    ['call', 8, /called from: Object\.call \(.*unawaited\.ts:8:17\)/],
    ['swallowed', 11, /called from: swallowed \(.*unawaited\.ts:11:18\)/],
    ['callback', 14, /awaited by: +<anonymous> .*:15:7\)\n +called from: Object\.callback \(.*unawaited\.ts:14:11\)/],
    ['branch', 24, /awaited by: +both .*:21:7\)\n +called from: Object\.branch \(.*unawaited\.ts:24:5\)/],
  ])('a capture that nobody awaits shows the call, not only where it leads to: %s', async (way, line, calls) => {
    const text = unescape((await visitor.get(`/unawaited?way=${way}`)).text);
    expect(text).toMatch(new RegExp(`unawaited\\.ts:${line}:\\d+\n[^]*\n> *${line} \\| `));
    expect(text).toMatch(calls);
  });

  test('a native part that is answered twice shows where it was called', async () => {
    const page = await visitor.get('/native');
    expect((await visitor.follow(page, { n: '1' })).text).toBe('1');
    const text = unescape((await visitor.follow(page, { n: '2' })).text);
    expect(text).toMatch(/native\.ts:4:\d+\n[^]*> 4 \| {3}const \[reply\] = await native\(/);
    expect(text).toMatch(/OneShotError.*: Cannot resume the continuation: .*\n +at start \(.*native\.ts:4:\d+\)</);
  });

  test('an AggregateError shows what it holds, and the line of the first', async () => {
    const text = unescape((await visitor.get('/any')).text);
    expect(text).toContain("> 3 |   throw new RangeError('no ' + of);");
    expect(text).toMatch(
      /AggregateError: .*\none of its errors: RangeError: no first\n +at fail \(.*any\.ts:3:9\)[^]*\none of its errors: RangeError: no second\n/,
    );
  });

  test('the stack of a cause ends where the author’s calls end', async () => {
    const text = unescape((await visitor.follow(await visitor.get('/behind'))).text);
    expect(text).toMatch(
      /Error: in front\n +at .*behind\.ts:4:9\)?\ncaused by: Error: behind\n +at .*behind\.ts:4:40\)?</,
    );
  });

  test('an error has its own code', async () => {
    expect(unescape((await visitor.get('/floating')).text)).toContain('UnsafeContextError [SERVLET_UNSAFE_CONTEXT]: ');
  });

  test('a rejection that comes to light with the answer takes no answer away', async () => {
    const page = await visitor.get('/left');
    expect([page.status, page.text]).toEqual([200, 'answered']);
    const obituaries = await eventually(
      () => host.ledger.obituaries.filter(({ servlet }) => servlet === 'left'),
      (found) => found.length > 0,
    );
    expect(obituaries).toMatchObject([{ cause: 'crash', request: null, detail: 'Error: nobody waits' }]);
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

  test('an error in a timer shows the line, the callers, the cause and the page before', async () => {
    const [url] = continuationsOf(await visitor.get('/timer'));
    const page = await visitor.get(url!, { headers: { Referer: `${host.url}/timer` } });
    expect(page.text).toContain(`from the page: ${host.url}/timer`);
    const text = unescape(page.text);
    expect(page.status).toBe(500);
    expect(text).toContain("> 4 |   throw new TypeError('a timer opened a box of ' + box.of");
    expect(text).toMatch(
      /TypeError: a timer opened a box of bees\n +at later \(.*timer\.ts:4:9\)\n +at .*timer\.ts:9:20/,
    );
    expect(text).toContain('caused by: Error: underneath');
  });

  test('code stands apart in the page, so that it can scroll and its caret points to its place', async () => {
    const { text } = await visitor.get('/plain');
    const [, before, code, behind] = /\n(.*\n)<span>([^]*?)<\/span>(.*\n.*)/.exec(text) ?? [];
    expect(before).toMatch(/plain\.ts:5:\d+\n/);
    expect(unescape(code!)).toMatch(/^ {2}1 \| import [^]*\n> 5 \| {3}return html.*\n {4}\| +\^\n {2}6 \| \};\n/);
    expect(behind).toMatch(/^\nTypeError/);
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

  test('a page maker that gives no page fails at the suspension: it shows who had suspended, and can be caught there', async () => {
    const state = `a page's maker returned in servlet "no-page": it is undefined, not a response`;
    const page = await visitor.get('/no-page?way=maker');
    const text = unescape(page.text);
    expect(page.status).toBe(500);
    expect(text).toContain(state);
    expect(text).toContain('> 18 |   await sendSuspend(() => undefined as unknown as string);');
    expect(text).toMatch(/at async noPage \(.*no-page\.ts:18:3\)\n +at async start \(.*no-page\.ts:13:\d+\)/);
    for (const way of ['caught', 'guarded'])
      expect(unescape((await visitor.get(`/no-page?way=${way}`)).text.replaceAll('&quot;', '"'))).toContain(state);
  });

  test('a servlet that returns no response shows where its function begins, before and after a suspension', async () => {
    const pages = [await visitor.get('/no-page'), await visitor.follow(await visitor.get('/no-page?way=later'))];
    for (const page of pages) {
      const text = unescape(page.text);
      expect(page.status).toBe(500);
      expect(text).toContain('what servlet "no-page" returned: it is undefined, not a response');
      expect(text).toContain('> 3 | export default async function start(request: ServletRequest) {');
    }
    const sent = unescape((await visitor.get('/no-page?way=sent')).text);
    expect(sent).toContain('what sendBack or sendFinish was given in servlet "no-page": it is a number');
    expect(sent).not.toContain('> 3 |');
  });

  test('a module that can not be parsed shows its line', async () => {
    const page = await visitor.get('/syntax');
    expect(page.status).toBe(503);
    expect(unescape(page.text)).toMatch(/> 3 \| {3}const x: number = await sendSuspend\(;/);
  });
});

describe('errors in production', () => {
  let directory: ServletDirectory;
  let logs: string;
  let host: Host;
  let visitor: Visitor;
  beforeAll(async () => {
    directory = new ServletDirectory(SERVLETS);
    logs = mkdtempSync(join(tmpdir(), 'custodian-log-'));
    host = await serve({
      ...heldIn(directory),
      isDevelopment: false,
      log: 'events',
      logDestination: join(logs, 'host.log'),
    });
    visitor = new Visitor(host.url);
  });
  afterAll(async () => {
    await host.close();
    directory[Symbol.dispose]();
    rmSync(logs, { recursive: true });
  });

  test.each([
    ['after a suspension', 500, '/shop', 'item=bomb', 'we do not sell', /bomb|shop\.ts|askOrder/],
    ['in a timer', 500, '/timer', '', 'a timer opened a box', /box|timer\.ts|later/],
    ['that nobody handles', 500, '/rejecting', null, 'nobody waits for a box', /wasps|rejecting\.ts/],
    ['while it is loaded', 503, '/loading', null, 'there is no <port>', /there is no|loading\.ts|Config/],
    ['of its syntax', 503, '/syntax', null, 'Expression expected', /xpression|syntax\.ts|sendSuspend/],
  ])('the page of an error %s has an id and nothing else, and the log has the error under it', async (...row) => {
    const [, status, path, query, logged, told] = row;
    const first = await visitor.get(path);
    const page = query === null ? first : await visitor.get(`${continuationsOf(first)[0]}?${query}`);
    const id = /under ([0-9a-f]{12})/.exec(page.text)?.[1];
    expect([page.status, typeof id]).toEqual([status, 'string']);
    expect(page.text).not.toMatch(told);
    const log = await eventually(
      () => readFileSync(join(logs, 'host.log'), 'utf8'),
      (text) => text.includes(id!),
    );
    const line = JSON.parse(log.split('\n').find((each) => each.includes(id!))!) as { failure: object };
    expect(JSON.stringify(line.failure)).toContain(logged);
    expect(line.failure).toHaveProperty('id', id);
  });
});
