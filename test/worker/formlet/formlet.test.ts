import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  button,
  checkbox,
  checkboxGroup,
  createInput,
  createInputList,
  fileUpload,
  cross,
  crossAll,
  fieldInput,
  type Formlet,
  formlet,
  FormletError,
  hidden,
  img,
  inputInteger,
  inputNumber,
  inputString,
  multiselectInput,
  passwordInput,
  pure,
  radio,
  radioGroup,
  reset,
  selectInput,
  shown,
  submit,
  tagged,
  textareaInput,
  textInput,
  html,
} from '../../../packages/worker/src/index.ts';
import { parsed } from '../../support/markup.ts';

/** Under this name the formatter leaves templates as they are. */
const f = formlet;
const h = html;

const fields = (...values: (string | [name: number, value: string])[]): URLSearchParams =>
  new URLSearchParams(
    values.map((value, index): [string, string] =>
      typeof value === 'string' ? [`input_${index}`, value] : [`input_${value[0]}`, value[1]],
    ),
  );

const date = f`<div>Month:${inputInteger}Day:${inputInteger}</div>`;
const travel = f`<div>Name:${inputString}<div>Arrive:${date}</div><div>Depart:${date}</div></div>`;

describe('formlets', () => {
  it('formlet names its inputs in the order in which they stand, and they come to their results', async () => {
    expect(Array.from(travel.display().text.matchAll(/name="(\w+)"/g), ([, name]) => name)).toEqual([
      'input_0',
      'input_1',
      'input_2',
      'input_3',
      'input_4',
    ]);
    expect(await travel.process(fields('Jay', '1', '2', '3', '4'))).toEqual(['Jay', [1, 2], [3, 4]]);
    // Names are given anew each time.
    expect(travel.display().text).toBe(travel.display().text);
  });

  it('formlet comes to the list of results, or to a record if parts have names', async () => {
    const list = f`<p>${textInput()} ${'<shown>'} ${[textInput(), textInput()]} ${null}</p>`;
    expectTypeOf(list).toEqualTypeOf<Formlet<[string | null, (string | null)[]]>>();
    expect(await list.process(fields('a', 'b', 'c'))).toEqual(['a', ['b', 'c']]);
    expect(list.display().text).toContain('&lt;shown&gt;');
    const record = f`${{ name: inputString, size: [inputInteger] }}${{ more: date }}${submit('Go')}`;
    expectTypeOf(record).toEqualTypeOf<Formlet<{ name: string; size: number[]; more: [number, number] }>>();
    expect(await record.process(fields('x', '1', '2', '3'))).toEqual({ name: 'x', size: [1], more: [2, 3] });
    expect(() => f`${{ a: inputString }}${{ a: inputString }}`).toThrow('the name "a" comes twice');
    expect(() => f`<p title="${inputString}">`).toThrow(TypeError);
  });

  it('pure, cross, shown and tagged are the functional core', async () => {
    const sum = crossAll(
      pure((one: number, other: number) => one + other),
      inputInteger,
      tagged('b', { class: 'x' }, inputInteger),
    );
    expectTypeOf(sum).toEqualTypeOf<Formlet<number>>();
    expect(await sum.process(fields('3', '4'))).toBe(7);
    expect(sum.display().text).toBe(
      '<input type="text" name="input_0" required><b class="x"><input type="text" name="input_1" required></b>',
    );
    const labelled = cross(
      shown(['i', 'a & b']),
      inputNumber.map(async (value) => value * 2),
    );
    expect(await labelled.process(fields('1.5'))).toBe(3);
    expect(labelled.display().text).toBe('<i>a &amp; b</i><input type="text" name="input_0" required>');
    expect(await pure(1).process(fields())).toBe(1);
  });

  it('process(display()) gives back what stands in the form', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string(),
        fc.string(),
        fc.nat(2),
        fc.subarray([0, 1, 2]),
        fc.boolean(),
        async (text, more, size, wares, isChecked) => {
          const items = ['a', 'b', 'c'];
          const form = f`${textInput({ value: text, label: 'Text' })}${textareaInput({ value: more })}${radioGroup(items, { isChosen: (item) => item === items[size] })}
          ${multiselectInput(items, { isChosen: (item) => wares.includes(items.indexOf(item)) })}${checkbox('yes', isChecked)}${hidden(text)}`;
          const result = await form.process(new URLSearchParams(submitted(parsed(form.display().text))));
          expect(result).toEqual([
            text,
            more,
            items[size],
            wares.map((ware) => items[ware]),
            isChecked ? 'yes' : null,
            text,
          ]);
        },
      ),
    );
  });
});

type Node = ReturnType<typeof parsed>[number];
/** What a browser would send of a form that is left as it is. */
function submitted(nodes: readonly Node[], select = ''): [string, string][] {
  return nodes.flatMap((node): [string, string][] => {
    if (typeof node === 'string') return [];
    const [tag, own, ...children] = node;
    if (tag === 'textarea') return [[own['name'] as string, (children as string[]).join('')]];
    if (tag === 'option') return 'selected' in own ? [[select, own['value'] as string]] : [];
    if (tag === 'input') {
      const isBox = own['type'] === 'checkbox' || own['type'] === 'radio';
      return isBox && !('checked' in own) ? [] : [[own['name'] as string, own['value'] ?? '']];
    }
    return submitted(children, tag === 'select' ? own['name'] : select);
  });
}

describe('inputs', () => {
  it.each<[string, { display(): { text: string } }, string]>([
    [
      'text',
      textInput({ value: '"', size: 3, maxLength: 5, isReadonly: true, attributes: { class: 'a' } }),
      '<input type="text" name="input_0" value="&quot;" size="3" maxlength="5" readonly class="a">',
    ],
    [
      'email',
      fieldInput('email', { label: 'Mail', hint: 'With @' }),
      '<label for="input_0">Mail</label> <input type="email" name="input_0" id="input_0" aria-describedby="input_0-hint"> <small id="input_0-hint">With @</small>',
    ],
    ['password', passwordInput(), '<input type="password" name="input_0">'],
    [
      'textarea',
      textareaInput({ value: '\n<', rows: 2, cols: 3 }),
      '<textarea name="input_0" rows="2" cols="3">\n\n&lt;</textarea>',
    ],
    ['checkbox', checkbox('v', true), '<input type="checkbox" name="input_0" value="v" checked>'],
    ['radio', radio('v', false, { label: 'V' }), '<label><input type="radio" name="input_0" value="v"> V</label>'],
    [
      'radios',
      radioGroup([1, 2], { display: (n) => h`<b>${n}</b>`, isChosen: (n) => n === 2 }).required(),
      '<label><input type="radio" name="input_0" value="0" required> <b>1</b></label><label><input type="radio" name="input_0" value="1" checked required> <b>2</b></label>',
    ],
    [
      'boxes',
      checkboxGroup(['a'], { label: 'All', attributesOf: () => ({ class: 'x' }) }),
      '<fieldset><legend>All</legend><label><input type="checkbox" name="input_0" value="0" class="x"> a</label></fieldset>',
    ],
    [
      'select',
      selectInput(['a', '<'], { isChosen: (item) => item === '<', label: 'One' }),
      '<label for="input_0">One</label> <select name="input_0" id="input_0"><option value="0">a</option><option value="1" selected>&lt;</option></select>',
    ],
    ['multiselect', multiselectInput(['a']), '<select name="input_0" multiple><option value="0">a</option></select>'],
    ['submit', submit('Go'), '<input type="submit" name="input_0" value="Go">'],
    ['reset', reset('Undo'), '<input type="reset" name="input_0" value="Undo">'],
    [
      'button',
      button('submit', 'Go <now>', { value: 'x', isDisabled: true }),
      '<button type="submit" name="input_0" value="x" disabled>Go &lt;now&gt;</button>',
    ],
    ['hidden', hidden('x'), '<input type="hidden" name="input_0" value="x">'],
    ['img', img('/a.png', 'A', { width: 3 }), '<img src="/a.png" alt="A" width="3">'],
    [
      'file',
      fileUpload({ accept: 'image/*', label: 'Photo' }),
      '<label for="input_0">Photo</label> <input type="file" name="input_0" id="input_0" accept="image/*">',
    ],
    [
      'own list',
      createInputList(({ name }) => h`<input name="${name}"><input name="${name}">`),
      '<input name="input_0"><input name="input_0">',
    ],
    ['own', createInput(({ name, id }) => h`<i id="${id}">${name}</i>`), '<i id="input_0">input_0</i>'],
  ])('the %s input looks as it should', (_what, input, markup) => {
    expect(input.display().text).toBe(markup);
  });

  it('choices come to their items, or to nothing; a number that was not offered is a mistake', async () => {
    const items = [{ id: 1 }, { id: 2 }];
    expect(await radioGroup(items).process(fields('1'))).toBe(items[1]);
    expect(await selectInput(items).process(fields())).toBe(null);
    expect(await multiselectInput(items).process(fields([0, '1'], [0, '0']))).toEqual([items[1], items[0]]);
    expect(await checkboxGroup(items).process(fields())).toEqual([]);
    for (const text of ['2', '-1', 'x', '', '1e9', '99999999999'])
      await expect(radioGroup(items).process(fields(text))).rejects.toThrow(FormletError);
    const list = createInputList(({ name }) => h`<input name="${name}">`);
    expect([await list.process(fields([0, 'a'], [0, 'b'], [0, 'a'])), await list.process(fields())]).toEqual([
      ['a', 'b', 'a'],
      [],
    ]);
    expectTypeOf(list).toEqualTypeOf<Formlet<string[]>>();
    expectTypeOf(radioGroup(items)).toEqualTypeOf<Formlet<{ id: number } | null>>();
  });

  it('conversions and defaults: nothing stays nothing, and what is none is a mistake', async () => {
    expect(await textInput().toNumber().process(fields())).toBe(null);
    expect(await textInput().withDefault('x').process(fields())).toBe('x');
    expect(await textInput().withDefault('x').process(fields(''))).toBe('');
    expect(await textInput().trimmed().required().process(fields(' a '))).toBe('a');
    expect([
      await checkbox('v', false).toBoolean().process(fields('v')),
      await checkbox('v', false).toBoolean().process(fields()),
    ]).toEqual([true, false]);
    expect(await inputNumber.process(fields(' -1.5e2 '))).toBe(-150);
    for (const text of ['x', '', '1.5', '0x10', '1e400', '9007199254740993'])
      await expect(inputInteger.process(fields(text))).rejects.toThrow(FormletError);
    await expect(textInput().trimmed().required('Who?').process(fields('  '))).rejects.toThrow(
      'its field "input_0" is not right: Who?',
    );
  });
});

describe('what is not right', () => {
  it('read() has every mistake beside its field, and display() shows it again with what was entered', async () => {
    const form = f`${{ name: textInput({ label: 'Name' }).required('Who?') }}${{ age: textInput({ label: 'Age', hint: 'Years' }).required().toInteger('A number!') }}
      ${{ tea: radioGroup(['black', 'green'], { label: 'Tea' }).required('Which?') }}${{ secret: passwordInput({ label: 'Secret' }) }}`;
    const outcome = await form.read(fields('', 'old <', [3, 'hush']));
    expect(outcome.problems).toEqual(
      new Map([
        ['input_0', ['Who?']],
        ['input_1', ['A number!']],
        ['input_2', ['Which?']],
      ]),
    );
    const page = form.display(outcome).text;
    expect(page).toContain(
      '<input type="text" name="input_0" id="input_0" required aria-invalid="true" aria-describedby="input_0-problem" autofocus> <strong class="problem" id="input_0-problem">Who?</strong>',
    );
    expect(page).toContain(
      'value="old &lt;" required aria-invalid="true" aria-describedby="input_1-hint input_1-problem"> <small id="input_1-hint">Years</small> <strong class="problem" id="input_1-problem">A number!</strong>',
    );
    expect(page).toContain(
      '<fieldset aria-describedby="input_2-problem"><legend>Tea</legend><label><input type="radio" name="input_2" value="0" required aria-invalid="true">',
    );
    expect(page).not.toContain('hush');
    expect(page.match(/autofocus/g)).toHaveLength(1);
    expect(form.display({ ...outcome, idPrefix: 'a-' }).text).toContain('id="a-input_0-problem"');
  });

  it('check() puts its message where its path leads, and is not asked about what is not right already', async () => {
    const passwords = f`${{ one: passwordInput().required() }}<p>${{ other: passwordInput().required() }}</p>`.check(
      ({ one, other }) => one === other,
      'They differ.',
      ['other'],
    );
    expect((await passwords.read(fields('a', 'b'))).problems).toEqual(new Map([['input_1', ['They differ.']]]));
    expect(await passwords.process(fields('a', 'a'))).toEqual({ one: 'a', other: 'a' });
    const list = f`${inputString}${f`${{ x: inputString }}`}`.check(async () => false, 'No.', [1, 'x']);
    expect((await list.read(fields('a', 'b'))).problems).toEqual(new Map([['input_1', ['No.']]]));
    let asked = 0;
    const form = inputInteger.check(() => (asked += 1) > 0, 'No.');
    expect((await form.read(fields('x'))).problems).toEqual(new Map([['input_0', ['Please give a whole number.']]]));
    expect(asked).toBe(0);
    const failing = inputString.map(() => {
      throw new RangeError('mine');
    });
    await expect(failing.read(fields('x'))).rejects.toThrow(RangeError);
  });

  it('validate() takes what speaks Standard Schema', async () => {
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value: unknown) => {
          const { name, age } = value as { name: string; age: number };
          if (age >= 18) return { value: { who: name.toUpperCase() } };
          return {
            issues: [
              { message: 'Too young.', path: [{ key: 'age' }] },
              { message: 'Go away.', path: ['name'] },
              { message: 'All.' },
            ],
          };
        },
      },
    } as const;
    const form = f`${{ name: inputString }}${{ age: inputInteger }}`.validate(schema);
    expectTypeOf(form).toEqualTypeOf<Formlet<{ who: string }>>();
    expect(await form.process(fields('ada', '18'))).toEqual({ who: 'ADA' });
    expect((await form.read(fields('ada', '17'))).problems).toEqual(
      new Map([
        ['input_1', ['Too young.']],
        ['input_0', ['Go away.', 'All.']],
      ]),
    );
  });

  it('read() answers whatever comes', async () => {
    const form = f`${travel}${radioGroup(['a'])}${checkboxGroup(['a', 'b'])}${textareaInput().trimmed()}`;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.oneof(
              fc.nat(9).map((n) => `input_${n}`),
              fc.string(),
            ),
            fc.string(),
          ),
        ),
        async (sent) => {
          const outcome = await form.read(new URLSearchParams(sent));
          expect(outcome.isGood).toBe(outcome.problems.size === 0);
          expect(form.display(outcome).text).toContain('input_7');
        },
      ),
    );
  });
});
