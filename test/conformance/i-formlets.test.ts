import { afterAll, beforeAll, expect, test } from 'vitest';
import { browse } from '../../packages/host/src/testing/index.ts';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';

const IMPORTS = `import { checkbox, checkboxGroup, fileUpload, formlet, html, inputInteger, inputString, multiselectInput,
  passwordInput, radioGroup, selectInput, sendFormlet, submit, textareaInput, textInput } from '@custodian/worker';`;

const SERVLETS = {
  travel: `${IMPORTS}
    const date = formlet\`<div>Month:\${inputInteger}Day:\${inputInteger}</div>\`;
    const travel = formlet\`<div>Name:\${inputString}<div>Arrive:\${date}</div><div>Depart:\${date}</div>\${submit('Submit')}</div>\`;
    export default async () => JSON.stringify((await sendFormlet(travel)).slice(0, 3));`,
  entry: `${IMPORTS}
    export default async () => {
      const [text, number] = await sendFormlet(formlet\`\${inputString}\${inputInteger}\`);
      return html\`\${text} and \${number}\`;
    };`,
  upload: `${IMPORTS}
    const form = formlet\`\${{ note: textInput({ label: 'Note' }).required('A note!') }}\${{ file: fileUpload({ label: 'Photo', accept: 'image/*' }).required('A file!') }}\`;
    export default async () => {
      const { note, file } = await sendFormlet(form);
      return html\`\${note}: \${file.filename}, \${file.size}, \${await file.text()}\`;
    };`,
  optional: `${IMPORTS}
    export default async () => {
      const [file] = await sendFormlet(formlet\`\${fileUpload({ label: 'Photo' })}\`);
      return html\`\${file === null ? 'none' : file.filename}\`;
    };`,
  inputs: `${IMPORTS}
    const items = ['black', 'green', 'white'];
    const form = formlet\`\${{ text: textareaInput({ label: 'Text' }) }}\${{ secret: passwordInput({ label: 'Secret' }) }}
      \${{ one: radioGroup(items, { label: 'One' }) }}\${{ some: checkboxGroup(items, { label: 'Some' }) }}\${{ box: checkbox('yes', true, { label: 'Box' }) }}
      \${{ chosen: selectInput(items, { label: 'Chosen' }) }}\${{ many: multiselectInput(items, { label: 'Many' }) }}\${{ count: inputInteger }}\`;
    export default async () => JSON.stringify(await sendFormlet(form));`,
};

let started: StartedHost;
beforeAll(async () => {
  const heldAs = Object.fromEntries(Object.keys(SERVLETS).map((name) => [name, { cell: 'one', spareThreads: 0 }]));
  started = await StartedHost.start(SERVLETS, { limits: { wallMs: 60_000 } }, heldAs);
}, 60_000);
afterAll(() => started[Symbol.asyncDispose]());

test('C111 formlet names: input_0 to input_4 in the order in which they stand, and the values come in their shape', async () => {
  const visitor = new Visitor(started.url);
  const page = await visitor.get('/travel');
  expect(Array.from(page.text.matchAll(/type="text" name="(\w+)"/g), ([, name]) => name)).toEqual([
    'input_0',
    'input_1',
    'input_2',
    'input_3',
    'input_4',
  ]);
  const [link = ''] = continuationsOf(page);
  const body = new URLSearchParams({ input_0: 'Jay', input_1: '1', input_2: '2', input_3: '3', input_4: '4' });
  const answer = await fetch(started.url + link, { method: 'POST', body });
  expect(await answer.json()).toEqual(['Jay', [1, 2], [3, 4]]);
});

test('C113 sendFormlet(): a page with the title "Form Entry", a form by POST to its continuation, and both values', async () => {
  const visitor = new Visitor(started.url);
  const page = await visitor.get('/entry');
  expect(page.text).toContain('<title>Form Entry</title>');
  expect(page.text).toMatch(/<form action="\/entry;k=[^"]+" method="post">/);
  const [link = ''] = continuationsOf(page);
  const post = async (body: string): Promise<string> =>
    (
      await fetch(started.url + link, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body,
      })
    ).text();
  expect(await post('input_0=abc&input_1=42')).toBe('abc and 42');
  // The same page again, with other values.
  expect(await post('input_0=x&input_1=-7')).toBe('x and -7');
  // Racket fails here with 500.
  const again = await post('input_0=abc&input_1=many');
  expect(again).toContain('value="abc"');
  expect(again).toContain('Please give a whole number.');
});

test('a form with a file is sent with it, and asks again for what is missing', async () => {
  const tab = await browse(started.host, '/upload');
  expect(tab.query('form')?.attribute('enctype')).toBe('multipart/form-data');
  expect(tab.query('input[type=file]')?.attribute('accept')).toBe('image/*');
  const photo = new File(['pixels'], 'ü photo.png', { type: 'image/png' });
  await tab.attach('Photo', photo).submit();
  expect(tab.text).toContain('A note!');
  await tab.fill('Note', 'Hello').submit();
  expect(tab.text).toContain('A file!');
  expect(tab.query('input[name=input_0]')?.attribute('value')).toBe('Hello');
  await tab.attach('Photo', photo).submit();
  expect(tab.text).toBe('Hello: ü photo.png, 6, pixels');

  const other = await browse(started.host, '/optional');
  await other.submit();
  expect(other.text).toBe('none');
});

test('every kind of input comes to what a visitor has chosen, and to nothing where nothing is', async () => {
  const tab = await browse(started.host, '/inputs');
  await tab.fill('input_7', 5).uncheck('Box').submit();
  expect(JSON.parse(tab.text)).toEqual({
    text: '',
    secret: '',
    one: null,
    some: [],
    box: null,
    chosen: 'black',
    many: [],
    count: 5,
  });
  const full = await browse(started.host, '/inputs');
  full.fill('Text', '\nx').fill('Secret', 's').select('Chosen', 'green').select('Many', 'black', 'white');
  const boxes = full.queryAll('input[name=input_3]').map((box) => box.attribute('value'));
  expect(boxes).toEqual(['0', '1', '2']);
  await full.fill('input_7', -1).submit();
  expect(JSON.parse(full.text)).toMatchObject({ text: '\r\nx', secret: 's', box: 'yes', chosen: 'green', count: -1 });
  expect(JSON.parse(full.text)).toMatchObject({ many: ['black', 'white'] });
});
