import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StartedHost } from '../../support/started-host.ts';

const SERVLETS = {
  good: `import { template } from '@custodian/worker';
    const page = template('pages/good.html');
    export default (request) => page({ name: request.query.get('name'), lines: [1, 2] });`,
  bad: `import { template } from '@custodian/worker';
    export default () => template('pages/bad.html')({ items: null });`,
  outside: `import { template } from '@custodian/worker';
    export default () => template('/etc/hostname')({});`,
};

test('template() works for a guest in its own directory; an error shows the line of the template', async () => {
  await using started = await StartedHost.start(SERVLETS);
  const pages = join(started.directory.path, 'pages');
  mkdirSync(pages);
  writeFileSync(join(pages, 'good.html'), '<h1>${name}</h1>${lines.map((line) => html`<p>${line}</p>`)}');
  writeFileSync(join(pages, 'bad.html'), '<ul>\n  ${items.map((item) => item)}\n</ul>');
  const good = await fetch(`${started.url}/good?name=%3Cb%3E`);
  expect(await good.text()).toBe('<h1>&lt;b&gt;</h1><p>1</p><p>2</p>');
  const bad = await fetch(`${started.url}/bad`);
  expect(bad.status).toBe(500);
  expect(await bad.text()).toMatch(/bad\.html:2:\d+\n[^]*\$\{items\.map\(\(item\)/);
  const outside = await fetch(`${started.url}/outside`);
  expect(outside.status).toBe(500);
  expect(await outside.text()).toContain('a guest may read its own directory only');
});
