import type { AttributeValue } from '../html/attributes.ts';
import { attributes } from '../html/attributes.ts';
import type { Html } from '../html/fragment.ts';
import { html as markup } from '../http/html.ts';
import type { FormFile } from './entered.ts';
import { Formlet } from './formlet.ts';
import type { Choice, InputNode, InputOptions, InputView } from './input-node.ts';

/** What a field of one line may be told. */
export interface TextOptions extends InputOptions {
  /** What stands in it at first. */
  value?: string;
  /** In characters, as wide as it looks. */
  size?: number;
  /** In characters, as much as a browser takes. It is no check. */
  maxLength?: number;
  isReadonly?: boolean;
}

function input<Value>(node: InputNode): Formlet<Value> {
  return new Formlet({ kind: 'input', input: node });
}

function field(fieldType: string, options: TextOptions): Formlet<string | null> {
  const { value = '', size, maxLength, isReadonly } = options;
  return input({
    type: 'field',
    fieldType,
    value,
    options,
    more: { size, maxlength: maxLength, readonly: isReadonly },
  });
}

/**
 * An `<input>` of any type that sends one text, such as `email`, `date` or `range`. Comes to the text; null when none was sent.
 * @see Racket `input`
 *
 * @example
 * ```ts
 * fieldInput('date', { attributes: { min: '2026-01-01' } }).display().text;
 * // '<input type="date" name="input_0" min="2026-01-01">'
 * ```
 */
export function fieldInput(type: string, options: TextOptions = {}): Formlet<string | null> {
  return field(type, options);
}

/**
 * A line of text.
 * @see Racket `text-input`
 *
 * @example
 * ```ts
 * textInput({ value: 'tea', maxLength: 20 }).display().text;
 * // '<input type="text" name="input_0" value="tea" maxlength="20">'
 * ```
 */
export function textInput(options: TextOptions = {}): Formlet<string | null> {
  return field('text', options);
}

/**
 * A password. What a visitor has entered is not shown again.
 * @see Racket `password-input`
 *
 * @example
 * ```ts
 * passwordInput({ attributes: { autocomplete: 'current-password' } }).display().text;
 * // '<input type="password" name="input_0" autocomplete="current-password">'
 * ```
 */
export function passwordInput(options: TextOptions = {}): Formlet<string | null> {
  return field('password', options);
}

/**
 * Several lines of text.
 * @see Racket `textarea-input`
 *
 * @example
 * ```ts
 * textareaInput({ value: '<tea>', rows: 3 }).display().text;
 * // '<textarea name="input_0" rows="3">&lt;tea&gt;</textarea>'
 * ```
 */
export function textareaInput(options: TextOptions & { rows?: number; cols?: number } = {}): Formlet<string | null> {
  const { value = '', maxLength, isReadonly, rows, cols } = options;
  return input({ type: 'textarea', value, options, more: { rows, cols, maxlength: maxLength, readonly: isReadonly } });
}

/**
 * A box. Comes to its value if it was checked, else to null.
 * @see Racket `checkbox`
 *
 * @example
 * ```ts
 * checkbox('on', true, { label: 'Milk' }).display().text;
 * // '<label><input type="checkbox" name="input_0" value="on" checked> Milk</label>'
 * ```
 */
export function checkbox(value: string, isChecked: boolean, options: InputOptions = {}): Formlet<string | null> {
  return input({ type: 'box', fieldType: 'checkbox', value, isChecked, options });
}

/**
 * A round box with a name of its own; {@link radioGroup} makes one choice of several.
 * @see Racket `radio`
 *
 * @example
 * ```ts
 * radio('yes', false).display().text; // '<input type="radio" name="input_0" value="yes">'
 * ```
 */
export function radio(value: string, isChecked: boolean, options: InputOptions = {}): Formlet<string | null> {
  return input({ type: 'box', fieldType: 'radio', value, isChecked, options });
}

/** How the items of a choice look. */
export interface ChoiceOptions<Item> extends InputOptions {
  /** What stands for an item. Default: its text. */
  display?: (item: Item) => string | Html;
  /** Is it chosen at first? */
  isChosen?: (item: Item) => boolean;
  /** More attributes of an item's element. */
  attributesOf?: (item: Item) => Readonly<Record<string, AttributeValue>>;
}

/** How the boxes of a group look. */
export interface GroupOptions<Item> extends ChoiceOptions<Item> {
  /** Puts a box and what stands for its item together. Default: a `<label>` with both. */
  wrap?: (box: Html, shown: string | Html) => Html;
}

function choice<Value, Item>(
  shape: Choice['shape'],
  isMultiple: boolean,
  items: Iterable<Item>,
  options: GroupOptions<Item>,
): Formlet<Value> {
  const { display, isChosen, attributesOf, wrap, ...rest } = options;
  return input({
    type: 'choice',
    shape,
    isMultiple,
    items: [...items],
    display: (display ?? null) as Choice['display'],
    isChosen: (isChosen ?? null) as Choice['isChosen'],
    attributesOf: (attributesOf ?? null) as Choice['attributesOf'],
    wrap: wrap ?? null,
    options: rest,
  });
}

/**
 * Round boxes, of which one can be checked. Comes to its item, which may be anything: only its number is sent. Null: none.
 * @see Racket `radio-group`
 *
 * @example
 * ```ts
 * const size = radioGroup([1, 2], { label: 'Size', display: (litres) => `${litres} l`, isChosen: (litres) => litres === 2 });
 * await size.process(new URLSearchParams({ input_0: '1' })); // 2
 * size.display().text.startsWith('<fieldset><legend>Size</legend><label><input type="radio" name="input_0" value="0"> 1 l</label>'); // true
 * ```
 */
export function radioGroup<Item>(items: Iterable<Item>, options: GroupOptions<Item> = {}): Formlet<Item | null> {
  return choice('radios', false, items, options);
}

/**
 * Boxes, of which any number can be checked. Comes to the list of their items.
 * @see Racket `checkbox-group`
 *
 * @example
 * ```ts
 * const wares = checkboxGroup(['tea', 'bread', 'jam'], { wrap: (box, shown) => html`<p>${box}${shown}</p>` });
 * await wares.process(new URLSearchParams([['input_0', '0'], ['input_0', '2']])); // ['tea', 'jam']
 * ```
 */
export function checkboxGroup<Item>(items: Iterable<Item>, options: GroupOptions<Item> = {}): Formlet<Item[]> {
  return choice('checkboxes', true, items, options);
}

/**
 * A list to choose one item from. Comes to the item, which may be anything: only its number is sent. Null: none.
 * @see Racket `select-input`
 *
 * @example
 * ```ts
 * selectInput(['tea', 'bread'], { isChosen: (ware) => ware === 'bread' }).display().text;
 * // '<select name="input_0"><option value="0">tea</option><option value="1" selected>bread</option></select>'
 * ```
 */
export function selectInput<Item>(items: Iterable<Item>, options: ChoiceOptions<Item> = {}): Formlet<Item | null> {
  return choice('select', false, items, options);
}

/**
 * A list to choose any number of items from. Comes to the list of them.
 * @see Racket `multiselect-input`
 *
 * @example
 * ```ts
 * await multiselectInput(['tea', 'bread']).process(new URLSearchParams({ input_0: '1' })); // ['bread']
 * ```
 */
export function multiselectInput<Item>(items: Iterable<Item>, options: ChoiceOptions<Item> = {}): Formlet<Item[]> {
  return choice('select', true, items, options);
}

/**
 * A button that sends the form. Comes to its value if it was the one that was pressed, else to null.
 * @see Racket `submit`
 *
 * @example
 * ```ts
 * submit('Order').display().text; // '<input type="submit" name="input_0" value="Order">'
 * ```
 */
export function submit(value: string, options: InputOptions = {}): Formlet<string | null> {
  return input({ type: 'button', element: 'input', fieldType: 'submit', value, text: '', options, more: {} });
}

/**
 * A button that gives each field what it had at first. Comes to null.
 * @see Racket `reset`
 *
 * @example
 * ```ts
 * reset('Clear').display().text; // '<input type="reset" name="input_0" value="Clear">'
 * ```
 */
export function reset(value: string, options: InputOptions = {}): Formlet<string | null> {
  return input({ type: 'button', element: 'input', fieldType: 'reset', value, text: '', options, more: {} });
}

/**
 * A button with a text of its own. Comes to its value if it was the one that was pressed, else to null.
 * @see Racket `button`
 *
 * @example
 * ```ts
 * button('submit', 'Order now', { value: 'order' }).display().text;
 * // '<button type="submit" name="input_0" value="order">Order now</button>'
 * ```
 */
export function button(
  type: 'submit' | 'reset' | 'button',
  text: string,
  options: InputOptions & { value?: string; isDisabled?: boolean } = {},
): Formlet<string | null> {
  const { value = text, isDisabled } = options;
  return input({
    type: 'button',
    element: 'button',
    fieldType: type,
    value,
    text,
    options,
    more: { disabled: isDisabled },
  });
}

/**
 * A file from the visitor's machine. Comes to the file; null when none was chosen. `sendFormlet` sends such a form as
 * `multipart/form-data`.
 * @see Racket `file-upload`
 *
 * @example
 * ```ts
 * fileUpload({ accept: 'image/*' }).display().text; // '<input type="file" name="input_0" accept="image/*">'
 * ```
 */
export function fileUpload(options: InputOptions & { accept?: string } = {}): Formlet<FormFile | null> {
  return input({ type: 'file', options, more: { accept: options.accept } });
}

/**
 * A text that is sent along unseen. The visitor can change it: it is no secret, and no proof.
 * @see Racket `hidden`
 *
 * @example
 * ```ts
 * hidden('7').display().text; // '<input type="hidden" name="input_0" value="7">'
 * ```
 */
export function hidden(value: string, options: Pick<InputOptions, 'attributes'> = {}): Formlet<string | null> {
  return input({ type: 'field', fieldType: 'hidden', value, options, more: {} });
}

/**
 * A picture in the form. It is no input, and takes no name.
 * @see Racket `img`
 *
 * @example
 * ```ts
 * img('/logo.png', 'The shop').display().text; // '<img src="/logo.png" alt="The shop">'
 * ```
 */
export function img(
  src: string,
  alt: string,
  more: Readonly<Record<string, AttributeValue>> = {},
): Formlet<<Value>(value: Value) => Value> {
  return new Formlet({ kind: 'shown', value: markup`<img ${attributes({ src, alt, ...more })}>` });
}

/**
 * An input of your own. Comes to the text that was sent under its name; null: none was.
 * @param render shows it; spread its attributes into the element, so that label, hint and problems belong to it
 * @see Racket `make-input`
 *
 * @example
 * ```ts
 * const colour = createInput(({ attributes, entered }) => html`<my-picker value="${entered?.[0] ?? ''}" ${attributes}></my-picker>`);
 * colour.display().text; // '<my-picker value="" name="input_0" id="input_0"></my-picker>'
 * ```
 */
export function createInput(render: (view: InputView) => Html): Formlet<string | null> {
  return input({ type: 'custom', isList: false, render });
}

/**
 * An input of your own that may send several texts. Comes to the list of them.
 * @see Racket `make-input*`
 *
 * @example
 * ```ts
 * const tags = createInputList(({ name }) => html`<input name="${name}"><input name="${name}">`);
 * await tags.process(new URLSearchParams([['input_0', 'a'], ['input_0', 'b']])); // ['a', 'b']
 * ```
 */
export function createInputList(render: (view: InputView) => Html): Formlet<string[]> {
  return input({ type: 'custom', isList: true, render });
}

/**
 * A line of text that must be there.
 * @see Racket `input-string`
 *
 * @example
 * ```ts
 * await inputString.process(new URLSearchParams({ input_0: 'Jay' })); // 'Jay'
 * ```
 */
export const inputString: Formlet<string> = textInput().required();

/**
 * A number that must be there.
 * @see Racket `input-int`, which takes any number
 *
 * @example
 * ```ts
 * await inputNumber.process(new URLSearchParams({ input_0: '1.5' })); // 1.5
 * ```
 */
export const inputNumber: Formlet<number> = inputString.toNumber();

/**
 * A whole number that must be there.
 *
 * @example
 * ```ts
 * await inputInteger.process(new URLSearchParams({ input_0: '10' })); // 10
 * ```
 */
export const inputInteger: Formlet<number> = inputString.toInteger();
