import { attributes, type AttributeValue } from '../html/attributes.ts';
import type { Html } from '../html/fragment.ts';
// Under this name the formatter leaves the blanks in templates as they are.
import { html as markup } from '../http/html.ts';
import type { Showing } from './display.ts';
import type { Choice, InputNode, InputOptions } from './input-node.ts';

type Values = Readonly<Record<string, AttributeValue>>;

/** An input on its way to the page. */
interface View {
  name: string;
  id: string;
  isRequired: boolean;
  /** null: it is shown for the first time. */
  entered: readonly string[] | null;
  problems: readonly string[];
  options: InputOptions;
  /** What tells a screen reader of hint and problems, and the attributes of the author. */
  more: Values;
}

/** An input with its label, its hint and what is not right with it. */
export function shownInput(input: InputNode, name: string, isRequired: boolean, showing: Showing): Html {
  const view = viewOf(input, name, isRequired, showing);
  const { entered, options, more } = view;
  const named: Values = { name, id: options.label === undefined ? undefined : view.id };
  switch (input.type) {
    case 'field': {
      const { fieldType } = input;
      // A password is not sent back.
      const value = (fieldType === 'password' ? undefined : entered?.[0]) ?? input.value;
      const required = isRequired && fieldType !== 'hidden';
      const own = {
        type: fieldType,
        ...named,
        value: value === '' ? undefined : value,
        ...input.more,
        required,
        ...more,
      };
      return labelled(view, markup`<input ${attributes(own)}>`);
    }
    case 'textarea': {
      const own = { ...named, ...input.more, required: isRequired, ...more };
      return labelled(view, markup`<textarea ${attributes(own)}>${entered?.[0] ?? input.value}</textarea>`);
    }
    case 'file': {
      const own = { type: 'file', ...named, ...input.more, required: isRequired, ...more };
      return labelled(view, markup`<input ${attributes(own)}>`);
    }
    case 'box': {
      const { fieldType: type, value } = input;
      const checked = entered === null ? input.isChecked : entered.includes(value);
      const box = markup`<input ${attributes({ type, name, value, checked, required: isRequired, ...more })}>`;
      return explained(view, options.label === undefined ? box : markup`<label>${box} ${options.label}</label>`);
    }
    case 'button': {
      const own = { type: input.fieldType, name, value: input.value, ...input.more, ...more };
      if (input.element === 'input') return markup`<input ${attributes(own)}>`;
      return markup`<button ${attributes(own)}>${input.text}</button>`;
    }
    case 'choice':
      return input.shape === 'select' ? labelled(view, select(input, view, named)) : group(input, view);
    case 'custom': {
      const own = attributes({ ...named, id: view.id, required: isRequired, ...more });
      const { id, problems } = view;
      return explained(view, input.render({ name, id, entered, problems, attributes: own }));
    }
  }
}

function viewOf(input: InputNode, name: string, isRequired: boolean, showing: Showing): View {
  const id = `${showing.idPrefix ?? ''}${name}`;
  const options = input.type === 'custom' ? {} : input.options;
  const problems = showing.problems?.get(name) ?? [];
  const autofocus = problems.length > 0 && !showing.isFocusGiven;
  showing.isFocusGiven ||= autofocus;
  const described = [
    options.hint === undefined ? [] : [hintId(id)],
    problems.length === 0 ? [] : [problemId(id)],
  ].flat();
  const more: Values = {
    'aria-invalid': problems.length === 0 ? undefined : 'true',
    'aria-describedby': described.length === 0 ? undefined : described.join(' '),
    autofocus,
    ...options.attributes,
  };
  const entered = showing.entered === undefined ? null : (showing.entered.texts.get(name) ?? []);
  return { name, id, isRequired, entered, problems, options, more };
}

const hintId = (id: string): string => `${id}-hint`;
const problemId = (id: string): string => `${id}-problem`;

function labelled(view: View, control: Html): Html {
  const { label } = view.options;
  return explained(view, label === undefined ? control : markup`<label for="${view.id}">${label}</label> ${control}`);
}

function explained({ id, options, problems }: View, control: Html): Html {
  const hint = options.hint === undefined ? null : markup` <small id="${hintId(id)}">${options.hint}</small>`;
  const shown = problems.map((problem, index) => (index === 0 ? problem : markup` ${problem}`));
  const told = problems.length === 0 ? null : markup` <strong class="problem" id="${problemId(id)}">${shown}</strong>`;
  return hint === null && told === null ? control : markup`${control}${hint}${told}`;
}

function select(choice: Choice, { isRequired, more, ...view }: View, named: Values): Html {
  const multiple = choice.isMultiple;
  const options = choice.items.map((item, index) => {
    const own = {
      value: String(index),
      selected: isChosen(choice, item, index, view.entered),
      ...attributesOf(choice, item),
    };
    return markup`<option ${attributes(own)}>${shownItem(choice, item)}</option>`;
  });
  return markup`<select ${attributes({ ...named, multiple, required: isRequired, ...more })}>${options}</select>`;
}

/** Boxes, or round ones, that share a name. Their label is that of the group. */
function group(choice: Choice, view: View): Html {
  const { name, options, more, isRequired } = view;
  const { autofocus, 'aria-invalid': invalid, 'aria-describedby': described, ...others } = more;
  const type = choice.isMultiple ? 'checkbox' : 'radio';
  const boxes = choice.items.map((item, index) => {
    const checked = isChosen(choice, item, index, view.entered);
    const own = {
      type,
      name,
      value: String(index),
      checked,
      required: isRequired && type === 'radio',
      'aria-invalid': invalid,
      autofocus: autofocus === true && index === 0,
      ...others,
    };
    const box = markup`<input ${attributes({ ...own, ...attributesOf(choice, item) })}>`;
    const shown = shownItem(choice, item);
    return choice.wrap === null ? markup`<label>${box} ${shown}</label>` : choice.wrap(box, shown);
  });
  const all = explained(view, markup`${boxes}`);
  if (options.label === undefined) return all;
  return markup`<fieldset ${attributes({ 'aria-describedby': described })}><legend>${options.label}</legend>${all}</fieldset>`;
}

function isChosen(
  { isChosen: chooses }: Choice,
  item: unknown,
  index: number,
  entered: readonly string[] | null,
): boolean {
  return entered === null ? (chooses?.(item as never) ?? false) : entered.includes(String(index));
}

function shownItem({ display }: Choice, item: unknown): string | Html {
  return display === null ? String(item) : display(item as never);
}

function attributesOf({ attributesOf: more }: Choice, item: unknown): Values {
  return more === null ? {} : more(item as never);
}
