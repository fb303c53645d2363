import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import * as library from '@custodian/worker';
import { libraryPart } from '../../../packages/host/src/cell/library-part.ts';
import { StartedHost } from '../../support/started-host.ts';

const LIBRARY = stripTypeScriptTypes(readFileSync(fileURLToPath(import.meta.resolve('@custodian/worker')), 'utf8'));
const partFor = (...texts: string[]): ReturnType<typeof libraryPart> =>
  libraryPart(
    LIBRARY,
    texts.map((text, at) => [String(at), text]),
  );

it('libraryPart() exports what all of the modules import by name, from where the library has it', () => {
  expect(
    partFor(
      `import { html,            sendSuspend as show, } from '@custodian/worker';`,
      `import x from './x.ts';\nexport {\n  html,\n  webParameter\n} from "@custodian/worker";`,
      `export default () => 'imports nothing';`,
      `const x = () => [];\nimport { json } from '@custodian/worker';`,
    ),
  ).toEqual({
    source:
      `export { html } from './http/html.ts';\n` +
      `export { json } from './http/json.ts';\n` +
      `export { sendSuspend } from './servlet/send.ts';\n` +
      `export { createParameter as webParameter } from './continuation/runtime.ts';\n`,
    importers: ['0', '1', '3'],
  });
});

it.each([
  `\n// (c)\n'use strict';/* a\n "b" */ import './x.ts'; import { html } from '@custodian/worker';`,
  `import x, * as y from "x"; export * as z from 'z';\nimport type from './t.ts'\nexport { html } from '@custodian/worker'; x(\`\`)`,
  `import './x.ts';\n/*\nimport { html } from '@custodian/worker';\n*/\nimport { html } from "@custodian/worker";`,
])('libraryPart() finds an import among what else may stand at the head: %s', (text) => {
  expect(partFor(`${text}\nconst all = await import(name);`)?.source).toBe(`export { html } from './http/html.ts';\n`);
});

it('libraryPart() knows every export of the library', () => {
  const names = Object.keys(library);
  const part = partFor(`import { ${names.join(', ')} } from '@custodian/worker';`);
  expect(part?.source.match(/[\w$]+(?=,| \})/g)?.sort()).toEqual(names.sort());
});

it.each([
  `import * as all from '@custodian/worker';`,
  `import { html } from '@custodian/worker'; const all = await import('@custodian/worker');`,
  `import { html } from '@custodian/worker'; import { json } from '@custodian/\\x77orker';`,
  `import { html, /* more */ json } from '@custodian/worker';`,
  `import { thatThereIsNot } from '@custodian/worker';`,
  `export default () => 'html';`,
  `/*\nimport { html } from '@custodian/worker';\n*/\nconst all = await import(name);`,
  `const text = \`\nimport { html } from '@custodian/worker';\n\`;\nconst all = await import /* all */ (name);`,
  `//\n/*\nimport { html } from '@custodian/worker';\n*/\nconst all = createRequire(import.meta.url)(name);`,
  `//\n/*\nimport { html } from '@custodian/worker';\n*/\nconst all = await eval(name);`,
  `import x from './x.ts';\nx(/['"]/); \`\nimport { html } from '@custodian/worker';\n\`;\nconst all = await import(name);`,
  `export default \`\nimport { html } from '@custodian/worker';\n\`;\nconst all = await import(name);`,
])('libraryPart() leaves the library to who may import more than is plain: %s', (text) => {
  expect(partFor(text)).toBeNull();
});

it.each(['guest', 'trusted'] as const)(
  'a %s that imports some of the library by name has loaded no more, and gets all of it as it runs',
  async (profile) => {
    const plain = `
    import { html, json } from '@custodian/worker';
    import * as module from 'node:module';
    const library: string = ['@custodian', 'worker'].join('/');
    const loaded: string[] = [];
    const load = (url: string, context: unknown, next: Function) => (loaded.push(url), next(url, context));
    if (${profile === 'trusted'}) module['registerHooks']({ load });
    export default async (): Promise<unknown> => {
      const all = await import(library);
      return json({
        count: Object.keys(all).length,
        isSame: all.html === html && all.json === json,
        isLoadedNow: loaded.includes(import.meta.resolve(library)),
      });
    };`;
    const flow = plain
      .replace('{ html', '{ sendSuspend, html')
      .replace('return', 'if (html === null) await sendSuspend((url) => url); return');
    await using started = await StartedHost.start(
      { 'plain.ts': plain, 'flow.ts': flow },
      {},
      { 'plain.ts': { profile }, 'flow.ts': { profile } },
    );
    for (const name of ['plain', 'flow'])
      expect(await (await fetch(`${started.url}/${name}`)).json()).toEqual({
        count: Object.keys(library).length,
        isSame: true,
        isLoadedNow: profile === 'trusted',
      });
  },
);
