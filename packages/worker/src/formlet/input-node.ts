import type { Attributes, AttributeValue } from '../html/attributes.ts';
import type { Html } from '../html/fragment.ts';

/** What every input may be told. */
export interface InputOptions {
  /** Stands beside the input and belongs to it. Without it, put the input into a `<label>` of your own. */
  label?: string | Html;
  /** An explanation, read out with the input. */
  hint?: string | Html;
  /** More attributes, such as `autocomplete` and `class`. */
  attributes?: Readonly<Record<string, AttributeValue>>;
}

/** An input as it is to be shown. */
export interface InputView {
  readonly name: string;
  /** Unlike the name, of its own among all forms of a page. */
  readonly id: string;
  /** What the visitor has entered; null: the form is shown for the first time. */
  readonly entered: readonly string[] | null;
  /** What is not right with that. */
  readonly problems: readonly string[];
  /** Name, id, `required`, and what tells a screen reader that something is not right. */
  readonly attributes: Attributes;
}

/** An input as data. */
export type InputNode =
  /** An `<input>` that sends one text. */
  | {
      type: 'field';
      fieldType: string;
      value: string;
      options: InputOptions;
      more: Readonly<Record<string, AttributeValue>>;
    }
  | { type: 'textarea'; value: string; options: InputOptions; more: Readonly<Record<string, AttributeValue>> }
  /** A box of its own, or a round one. */
  | { type: 'box'; fieldType: 'checkbox' | 'radio'; value: string; isChecked: boolean; options: InputOptions }
  | { type: 'file'; options: InputOptions; more: Readonly<Record<string, AttributeValue>> }
  /** A button: it sends its value if it was pressed. */
  | {
      type: 'button';
      element: 'input' | 'button';
      fieldType: string;
      value: string;
      text: string;
      options: InputOptions;
      more: Readonly<Record<string, AttributeValue>>;
    }
  /** A choice among items, which are sent by their numbers. */
  | ({ type: 'choice' } & Choice)
  /** Made by `createInput` and `createInputList`. */
  | { type: 'custom'; isList: boolean; render: (view: InputView) => Html };

export interface Choice {
  shape: 'select' | 'radios' | 'checkboxes';
  isMultiple: boolean;
  items: readonly unknown[];
  display: ((item: never) => string | Html) | null;
  isChosen: ((item: never) => boolean) | null;
  attributesOf: ((item: never) => Readonly<Record<string, AttributeValue>>) | null;
  wrap: ((input: Html, shown: string | Html) => Html) | null;
  options: InputOptions;
}
