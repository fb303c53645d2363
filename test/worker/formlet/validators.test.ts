import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  type Formlet,
  formlet,
  inputString,
  type StandardSchema,
  textInput,
} from '../../../packages/worker/src/index.ts';
import { CompiledServlet } from '../servlet/compiled-servlet.ts';

interface Person {
  name: string;
  mail: string;
  age: number;
}

const WITH_ZOD = z.object({
  name: z.string().trim().min(1, 'Who are you?'),
  mail: z.email('No address.'),
  age: z.coerce.number('A number.').int().min(18, 'Too young.'),
});
const WITH_VALIBOT = v.object({
  name: v.pipe(v.string(), v.trim(), v.minLength(1, 'Who are you?')),
  mail: v.pipe(v.string(), v.email('No address.')),
  age: v.pipe(v.string(), v.transform(Number), v.number('A number.'), v.minValue(18, 'Too young.')),
});

const fields = (...values: string[]): URLSearchParams =>
  new URLSearchParams(Object.fromEntries(values.map((value, index) => [`input_${index}`, value])));
/** Under this name the formatter leaves templates as they are. */
const f = formlet;
const inputs = f`${{ name: inputString }}${{ mail: inputString }}${{ age: inputString }}`;

describe.each<[string, StandardSchema<Person>]>([
  ['zod', WITH_ZOD],
  ['valibot', WITH_VALIBOT],
])('a schema of %s', (library, schema) => {
  const form = inputs.validate(schema);

  it('validate() gives what the schema makes of it, typed', async () => {
    expectTypeOf(form).toEqualTypeOf<Formlet<Person>>();
    expect(await form.process(fields(' Ada ', 'ada@lovelace.example', '36'))).toEqual({
      name: 'Ada',
      mail: 'ada@lovelace.example',
      age: 36,
    });
  });

  it('validate() has every message beside its field, and shows what was entered', async () => {
    const outcome = await form.read(fields(' ', 'no"where', '17'));
    if (outcome.isGood) throw new Error('it was good');
    expect(outcome.problems).toEqual(
      new Map([
        ['input_0', ['Who are you?']],
        ['input_1', ['No address.']],
        ['input_2', ['Too young.']],
      ]),
    );
    const shown = form.display(outcome).text;
    for (const message of ['Who are you?', 'No address.', 'Too young.']) expect(shown).toContain(message);
    expect(shown).toContain('value="no&quot;where"');
    expect(shown).toContain('value="17"');
    expect(shown.match(/aria-invalid="true"/g)).toHaveLength(3);
  });

  it('validate() says what is wrong of one part that is in another', async () => {
    const both = f`<p>${{ one: inputs }}</p><p>${{ other: inputs }}</p>`.validate(
      library === 'zod'
        ? z.object({ one: WITH_ZOD, other: WITH_ZOD })
        : v.object({ one: WITH_VALIBOT, other: WITH_VALIBOT }),
    );
    const outcome = await both.read(fields('Ada', 'a@b.example', '36', 'Bob', 'a@b.example', '7'));
    expect(outcome).toMatchObject({ isGood: false, problems: new Map([['input_5', ['Too young.']]]) });
  });

  it('sendFormlet() shows the form again until the schema takes it', async () => {
    const servlet = await CompiledServlet.load(`
      import { formlet, html, sendFormlet, textInput } from '@custodian/worker';
      import * as library from ${JSON.stringify(import.meta.resolve(library))};
      const schema = ${library === 'zod' ? `library.z.coerce.number('A number.').min(18, 'Too young.')` : `library.pipe(library.string(), library.transform(Number), library.minValue(18, 'Too young.'))`};
      export default async () => html\`\${(await sendFormlet(textInput({ label: 'Age' }).validate(schema))) + 1}\`;`);
    const first = await servlet.text('/form');
    expect(first).not.toContain('Too young.');
    const again = await servlet.follow(first, '?input_0=17');
    expect(again).toContain('Too young.');
    expect(again).toContain('value="17"');
    expect(await servlet.follow(again, '?input_0=36')).toBe('37');
    expect(await servlet.follow(again, '?input_0=3')).toContain('Too young.');
  });
});

it('a schema that checks asynchronously is waited for; an input that it is about alone is marked', async () => {
  const taken = z.string().refine(async (name) => (await Promise.resolve(name)) !== 'ada', 'That name is taken.');
  const form = f`${{ name: textInput({ label: 'Name' }).validate(taken) }}${{ note: inputString }}`;
  expect(await form.process(fields('bob', 'x'))).toEqual({ name: 'bob', note: 'x' });
  expect(await form.read(fields('ada', 'x'))).toMatchObject({
    problems: new Map([['input_0', ['That name is taken.']]]),
  });
});
