import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, type Host, serve } from '../../packages/host/src/index.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';
import { type Shown, Visitor } from '../support/visitor.ts';

/** A library that calls back: what it is given may suspend. */
const FORMS = `import { label } from './label.js';
export async function each(names, ask) {
  const answers = {};
  for (const name of names) {
    answers[name] = await ask(label(name));
  }
  return answers;
}
`;
const SERVLET = (library: string): string => `import { html, sendSuspend } from '@custodian/worker';
import { each } from '${library}';
export default async function start() {
  const answers = await each(['width', 'height'], async (label: string) => {
    const reply = await sendSuspend((url) => html\`\${label} <a href="\${url}">on</a>\`);
    return Number(reply.query.get('n'));
  });
  return html\`area \${Number(answers.width) * Number(answers.height)}\`;
}
`;

const unescape = (html: string): string =>
  html.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

describe('continuations: { transform }', () => {
  let directory: ServletDirectory;
  let linked: ServletDirectory;
  let host: Host;
  let visitor: Visitor;
  beforeAll(async () => {
    directory = new ServletDirectory({
      'forms.ts': SERVLET('some-forms'),
      'plain.ts': SERVLET('some-forms'),
      'linked.ts': SERVLET('@scope/linked'),
      'common.ts': SERVLET('common-forms'),
      'outer.ts': SERVLET('outer-forms'),
      'chained.ts': SERVLET('chained-forms'),
    });
    linked = new ServletDirectory();
    writePackage(directory.path, 'some-forms', FORMS);
    writePackage(
      directory.path,
      'chained-forms',
      'export const each = async (names, ask) => await ask(names[0]).then((width) => ({ width }));\n',
    );
    writePackage(directory.path, 'outer-forms', `export { each } from 'some-forms';\n`);
    writePackage(
      directory.path,
      'common-forms',
      'exports.each = async (names, ask) => [await ask(names[0])];',
      'commonjs',
    );
    writePackage(linked.path, '@scope/linked', FORMS);
    mkdirSync(join(directory.path, 'node_modules', '@scope'));
    symlinkSync(
      join(linked.path, 'node_modules', '@scope', 'linked'),
      join(directory.path, 'node_modules', '@scope', 'linked'),
    );
    const file = (name: string): string => join(directory.path, name);
    host = await serve({
      servlets: [
        { file: file('forms.ts'), continuations: { transform: ['some-forms'] } },
        { file: file('linked.ts'), continuations: { transform: ['@scope/linked'] } },
        { file: file('common.ts'), continuations: { transform: ['common-forms'] } },
        { file: file('outer.ts'), continuations: { transform: ['outer-forms'] } },
        { file: file('chained.ts'), continuations: { transform: ['chained-forms'] } },
        file('plain.ts'),
      ],
      isDevelopment: true,
    });
    visitor = new Visitor(host.url);
  });
  afterAll(async () => {
    await host.close();
    directory[Symbol.dispose]();
    linked[Symbol.dispose]();
  });

  /** Answers the first page 3, the second 4 and, by Back, 5. */
  async function play(path: string): Promise<Shown[]> {
    const width = await visitor.get(path);
    const height = await visitor.follow(width, { n: '3' });
    return [width, height, await visitor.follow(height, { n: '4' }), await visitor.follow(height, { n: '5' })];
  }

  test('a library that is opted in calls back into code that suspends', async () => {
    const [width, height, area, other] = await play('/forms');
    expect([width!.text, height!.text].map((text) => text.split(' <')[0])).toEqual(['The width:', 'The height:']);
    expect([area!.text, other!.text]).toEqual(['area 12', 'area 15']);
  });

  test('so does one that is linked into node_modules, in the thread of a guest', async () => {
    expect((await play('/linked')).slice(2).map(({ text }) => text)).toEqual(['area 12', 'area 15']);
  });

  test('one that is not is an unsafe context, which names its frame and the option', async () => {
    const page = await visitor.get('/plain');
    const text = unescape(page.text);
    expect(page.status).toBe(500);
    expect(text).toContain('unsafe context');
    expect(text).toMatch(/foreign: +each \(.*node_modules\/some-forms\/index\.js:5:27\)/);
    expect(text).toContain("continuations: { transform: ['some-forms'] }");
    expect(text).toMatch(/\n +at start \(.*plain\.ts:4:19\)</);
    expect(text).toMatch(/> 4 \| {3}const answers = await each\(/);
  });

  test('of one that is opted in, and hands on another promise, the option is no way out', async () => {
    const text = unescape((await visitor.get('/chained')).text);
    expect(text).toMatch(/way out: .*or wrap the foreign call in native/);
    expect(text).not.toContain('transform');
    expect(text).toMatch(/node_modules\/chained-forms\/index\.js:1:\d+/);
  });

  test('what an opted-in package imports itself stays as it is, and the error names that package', async () => {
    const page = await visitor.get('/outer');
    expect(page.status).toBe(500);
    expect(unescape(page.text)).toContain("continuations: { transform: ['some-forms'] }");
  });

  test('what stands beside `servlets` is for all of them', async () => {
    const servlets = ['outer.ts', 'plain.ts'].map((name) => join(directory.path, name));
    const all = await serve({
      servlets,
      isDevelopment: true,
      continuations: { transform: ['outer-forms', 'some-forms'] },
    });
    try {
      const elsewhere = new Visitor(all.url);
      for (const path of ['/outer', '/plain']) {
        const height = await elsewhere.follow(await elsewhere.get(path), { n: '3' });
        for (const n of ['4', '5']) expect((await elsewhere.follow(height, { n })).text).toBe(`area ${3 * Number(n)}`);
      }
    } finally {
      await all.close();
    }
  });

  test('CommonJS stays as it is, and the unsafe context is told', async () => {
    const page = await visitor.get('/common');
    expect(page.status).toBe(500);
    expect(unescape(page.text)).toMatch(/foreign: +.*common-forms\/index\.js:1:\d+/);
  });

  test('a package that is not there, or is no name, is refused when the host is made', async () => {
    for (const transform of [['no-such-forms'], ['../some-forms'], ['/etc'], 'some-forms' as never]) {
      const servlets = [{ file: join(directory.path, 'forms.ts'), continuations: { transform } }];
      await expect(serve({ servlets })).rejects.toThrow(ConfigError);
    }
  });
});

function writePackage(root: string, name: string, index: string, type = 'module'): void {
  const directory = join(root, 'node_modules', name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(directory, 'package.json'),
    JSON.stringify({ name, version: '1.0.0', type, exports: './index.js' }),
  );
  writeFileSync(join(directory, 'index.js'), index);
  writeFileSync(join(directory, 'label.js'), "export const label = (name) => 'The ' + name + ':';\n");
}
