import { expect, test } from 'vitest';
import { StatelessProgram } from '../servlet/stateless-program.ts';

const SERVLET = `import { formlet, html, inputInteger, sendFormlet, sendSuspend, textInput } from '@custodian/worker';
  async function sure(value) {
    const reply = await sendSuspend((url) => html\`<a href="\${url}">Sure?</a>\`);
    return reply.query.get('sure') === 'yes';
  }
  function page(shown) {
    return html\`<main>\${shown}</main>\`;
  }
  export default async function start() {
    const label = 'Made here';
    const form = formlet\`<p>\${{ name: textInput({ label }).required('Who?') }}</p>\${{ age: inputInteger.check(sure, 'Not sure.') }}\`;
    const { name, age } = await sendFormlet(form, { wrap: page });
    return html\`\${name} is \${age}\`;
  }`;

test('sendFormlet() works in a stateless servlet: formlets made in a function are saved with the page, also in the middle of being read', async () => {
  const here = await StatelessProgram.load(SERVLET);
  const there = await here.elsewhere();
  const first = await here.text('/form');
  expect(first).toContain('Made here');
  const wrong = await there.follow(first, '?input_0=&input_1=1');
  const again = await here.follow(wrong, '?sure=yes');
  expect(again).toContain('Who?');
  expect(again).toContain('value="1"');
  const asked = await there.follow(again, '?input_0=Ada&input_1=36');
  expect(asked).toContain('Sure?');
  expect(await here.follow(asked, '?sure=yes')).toBe('Ada is 36');
  expect(await there.follow(asked, '?sure=no')).toContain('Not sure.');
});
