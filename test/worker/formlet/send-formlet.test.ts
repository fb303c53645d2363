import { describe, expect, it } from 'vitest';
import { CompiledServlet } from '../servlet/compiled-servlet.ts';

const IMPORTS = `import { embedFormlet, formlet, html, inputInteger, inputString, sendFormlet, sendSuspend, sendSuspendDispatch, textInput } from '@custodian/worker';`;

describe('sendFormlet()', () => {
  it('sendFormlet() shows a page with the title "Form Entry", a form by POST to its continuation, and both values', async () => {
    const servlet = await CompiledServlet.load(`${IMPORTS}
      export default async () => {
        const [text, number] = await sendFormlet(formlet\`\${inputString}\${inputInteger}\`);
        return html\`\${text} \${number + 1}\`;
      };`);
    const page = await servlet.text('/form');
    expect(page).toContain('<title>Form Entry</title>');
    expect(page).toMatch(/<form action="\/form;k=[^"]+" method="post">/);
    expect(page).toContain('<button type="submit">Submit</button>');
    expect(await servlet.follow(page, '?input_0=abc&input_1=42')).toBe('abc 43');
    expect(await servlet.follow(page, '?input_0=x&input_1=1')).toBe('x 2');
  });

  it('sendFormlet() shows the form again until it is right, and every such page can be answered again', async () => {
    const servlet = await CompiledServlet.load(`${IMPORTS}
      const form = formlet\`\${{ name: textInput({ label: 'Name' }).required('Who?') }}\${{ age: inputInteger }}\`;
      export default async () => {
        const { name, age } = await sendFormlet(form, { method: 'GET', summary: 'Again!', wrap: (shown) => html\`<main>\${shown}</main>\` });
        return html\`\${name} is \${age}\`;
      };`);
    const first = await servlet.text('/form');
    expect(first).toMatch(/^<main><form action="[^"]+" method="get"><label/);
    const second = await servlet.follow(first, '?input_0=&input_1=old');
    expect(second).toContain('<p role="alert" class="problem">Again!</p>');
    expect(second).toContain('Who?');
    expect(second).toContain('value="old"');
    const third = await servlet.follow(second, '?input_0=Ada&input_1=old');
    expect(third).not.toContain('Who?');
    expect(await servlet.follow(third, '?input_0=Ada&input_1=36')).toBe('Ada is 36');
    expect(await servlet.follow(second, '?input_0=Bob&input_1=7')).toBe('Bob is 7');
    expect(await servlet.follow(first, '?input_0=Eve&input_1=1')).toBe('Eve is 1');
  });

  it('sendFormlet() refuses a method that can not send the form', async () => {
    const servlet = await CompiledServlet.load(`
      import { fileUpload, inputString, sendFormlet } from '@custodian/worker';
      export default async ({ query }) => {
        try {
          await sendFormlet(query.has('file') ? fileUpload() : inputString, { method: query.get('method') });
        } catch (error) {
          return error.message;
        }
      };`);
    expect(await servlet.text('/form?method=PUT')).toBe('Cannot show a form: its method is "PUT", not GET or POST');
    expect(await servlet.text('/form?method=GET&file')).toBe(
      'Cannot show a form: it has a file, which only POST sends',
    );
  });

  it('functions that look at a form may suspend', async () => {
    const servlet = await CompiledServlet.load(`${IMPORTS}
      async function sure(value) {
        const reply = await sendSuspend((url) => html\`Sure? <a href="\${url}">\${value}</a>\`);
        return reply.query.get('sure') === 'yes';
      }
      async function twice(value) {
        await sendSuspend((url) => html\`<a href="\${url}">mapping</a>\`);
        return value * 2;
      }
      const form = formlet\`\${inputInteger.check(sure, 'Not sure.')}\${inputInteger.map(twice)}\`;
      export default async () => html\`[\${(await sendFormlet(form)).join()}]\`;`);
    const page = await servlet.text('/form');
    const asked = await servlet.follow(page, '?input_0=1&input_1=2');
    expect(asked).toContain('Sure?');
    const mapping = await servlet.follow(asked, '?sure=yes');
    expect(await servlet.follow(mapping)).toBe('[1,4]');
    expect(await servlet.follow(mapping)).toBe('[1,4]');
    const unsure = await servlet.follow(await servlet.follow(asked, '?sure=no'));
    expect(unsure).toContain('Not sure.');
    expect(
      await servlet.follow(await servlet.follow(await servlet.follow(unsure, '?input_0=5&input_1=6'), '?sure=yes')),
    ).toBe('[5,12]');
  });

  it('embedFormlet() is a form of a page with several ways on', async () => {
    const servlet = await CompiledServlet.load(`${IMPORTS}
      export default async () => {
        const name = await sendSuspendDispatch((embedUrl) => html\`\${embedFormlet(embedUrl, inputString)}<a href="\${embedUrl(() => 'nobody')}">no</a>\`);
        return html\`Hello, \${name}\`;
      };`);
    const page = await servlet.text('/form');
    expect(await servlet.follow(page, '?input_0=Ada')).toBe('Hello, Ada');
    expect(await servlet.follow(page, '', 1)).toBe('Hello, nobody');
    const again = await servlet.follow(page, '?input_0=');
    expect(again).toContain('Form Entry');
    expect(await servlet.follow(again, '?input_0=Bob')).toBe('Hello, Bob');
  });
});
