import { expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';

const CASES: [value: unknown, page: string][] = [
  [['p', 'a<b&c>"'], '<p>a&lt;b&amp;c&gt;"</p>'],
  [['p', { title: 'a<b&c>"' }], '<p title="a&lt;b&amp;c&gt;&quot;"></p>'],
  [['br'], '<br/>'],
  [['textarea'], '<textarea></textarea>'],
  [['p', 955], '<p>&#955;</p>'],
];

test('C092 xexpr: text and attributes are escaped, empty elements are those of HTML, a number is a character', async () => {
  const servlet = `const cases = ${JSON.stringify(CASES)}; export default (request) => cases[request.query.get('n')][0];`;
  await using started = await StartedHost.start({ page: servlet });
  for (const [index, [, page]] of CASES.entries())
    expect(await (await fetch(`${started.url}/page?n=${index}`)).text()).toBe(page);
});
