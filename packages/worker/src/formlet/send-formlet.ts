import { Frame, noLocals } from '../continuation/frame.ts';
import { chain, linked } from '../continuation/chain.ts';
import type { Html } from '../html/fragment.ts';
import { attributes } from '../html/attributes.ts';
import { html as markup } from '../http/html.ts';
import type { ServletRequest } from '../http/request.ts';
import { type EmbedUrl, type Page, sendSuspend } from '../servlet/send.ts';
import { displayed } from './display.ts';
import { formEntryPage } from './form-entry-page.ts';
import type { Formlet } from './formlet.ts';
import { type AnyFormlet, type FormletNode, partsOf } from './node.ts';
import { type FormletBad, type FormletOutcome, processed } from './process.ts';

/** How a formlet's form is made and shown. */
export interface FormOptions {
  /** Default: POST. */
  method?: 'GET' | 'POST';
  /** Makes the page around the form. Default: a plain one with the title "Form Entry". */
  wrap?: (form: Html) => Page;
  /** The text of the button that is added when the formlet has none. Default: "Submit". */
  submit?: string;
  /** Is said above the form when it is shown again. */
  summary?: string;
  /** Begins the ids of the inputs, where a page has several forms. */
  idPrefix?: string;
}

/**
 * Shows a form, and returns what its formlet comes to. When something is not right, the form is shown again, with what the visitor
 * has entered and a message beside each such field. Await it directly.
 * @throws TypeError for a method that forms don't have, and for GET of a form with a file
 * @see Racket `send/formlet`
 *
 * @example
 * ```ts
 * async function start() {
 *   const { name, age } = await sendFormlet(formlet`
 *     <p>${{ name: textInput({ label: 'Name' }).required() }}</p>
 *     <p>${{ age: textInput({ label: 'Age' }).required().toInteger().check((years) => years >= 18, 'Too young.') }}</p>`);
 *   return html`<p>Welcome, ${name}, ${age}.</p>`;
 * }
 * ```
 */
export function sendFormlet<Value>(formlet: Formlet<Value>, options: FormOptions = {}): Promise<Value> {
  return asked(formlet, options, null) as Promise<Value>;
}

/**
 * A form for a page of `sendSuspendDispatch`: when it is answered, what its formlet comes to is what the call returns. When
 * something is not right, a page of its own shows the form again.
 * @see Racket `embed-formlet`
 *
 * @example
 * ```ts
 * async function start() {
 *   const name = await sendSuspendDispatch<string>((embedUrl) => html`<h1>Who are you?</h1>${embedFormlet(embedUrl, inputString)}`);
 *   return html`<p>Hello, ${name}.</p>`;
 * }
 * ```
 */
export function embedFormlet<Value>(
  embedUrl: EmbedUrl<Value>,
  formlet: Formlet<Value>,
  options: FormOptions = {},
): Html {
  const url = embedUrl(FormVisit.of(formlet, options) as (request: ServletRequest) => Promise<Value>);
  return formOf(formlet, options, url, null);
}

/** What {@link embedFormlet} embeds: a function that says what it is made of, so that a page that holds it can be saved. */
export class FormVisit {
  declare readonly formlet: AnyFormlet;
  declare readonly options: FormOptions;

  static of(formlet: AnyFormlet, options: FormOptions): FormVisit & ((request: ServletRequest) => Promise<unknown>) {
    const visit = (request: ServletRequest): Promise<unknown> => judged(formlet, options, request);
    return Object.assign(Object.setPrototypeOf(visit, FormVisit.prototype) as typeof visit & FormVisit, {
      formlet,
      options,
    });
  }
}

function asked(formlet: AnyFormlet, options: FormOptions, before: FormletBad | null): Promise<unknown> {
  const { wrap = formEntryPage } = options;
  return chain(
    () => sendSuspend((url) => wrap(formOf(formlet, options, url, before))),
    () => new AskFrame(formlet, options),
    (request) => judged(formlet, options, request as ServletRequest),
  );
}

function judged(formlet: AnyFormlet, options: FormOptions, request: ServletRequest): Promise<unknown> {
  return chain(
    () => processed(formlet, request, false),
    () => new JudgeFrame(formlet, options),
    (outcome) => concluded(formlet, options, outcome as FormletOutcome<unknown>),
  );
}

function concluded(formlet: AnyFormlet, options: FormOptions, outcome: FormletOutcome<unknown>): unknown {
  return outcome.isGood ? outcome.value : asked(formlet, options, outcome);
}

/** Waits for the visitor's answer to a form. */
export class AskFrame extends Frame {
  readonly formlet: AnyFormlet;
  readonly options: FormOptions;

  constructor(formlet: AnyFormlet, options: FormOptions) {
    super(null, 1, noLocals, (again) =>
      linked(
        again,
        () => again.resumed(),
        () => new AskFrame(formlet, options),
        (request) => judged(formlet, options, request as ServletRequest),
      ),
    );
    this.formlet = formlet;
    this.options = options;
  }
}

/** Waits for what an answer comes to, while code of the author that looks at it has suspended. */
export class JudgeFrame extends Frame {
  readonly formlet: AnyFormlet;
  readonly options: FormOptions;

  constructor(formlet: AnyFormlet, options: FormOptions) {
    super(null, 1, noLocals, (again) =>
      linked(
        again,
        () => again.resumed(),
        () => new JudgeFrame(formlet, options),
        (outcome) => concluded(formlet, options, outcome as FormletOutcome<unknown>),
      ),
    );
    this.formlet = formlet;
    this.options = options;
  }
}

const SUMMARY = 'Please look at the marked fields again.';

function formOf(formlet: AnyFormlet, options: FormOptions, url: string, before: FormletBad | null): Html {
  const { method = 'POST', submit = 'Submit', summary = SUMMARY, idPrefix = '' } = options;
  const shown = displayed(formlet, { idPrefix, ...before });
  if (method !== 'POST' && method !== 'GET')
    throw new TypeError(`Cannot show a form: its method is ${JSON.stringify(method)}, not GET or POST`);
  const hasFile = hasInput(formlet.node, 'file');
  if (hasFile && method === 'GET') throw new TypeError('Cannot show a form: it has a file, which only POST sends');
  const enctype = hasFile ? 'multipart/form-data' : undefined;
  const own = { action: url, method: method.toLowerCase(), enctype };
  const told = before === null ? null : markup`<p role="alert" class="problem">${summary}</p>`;
  const sender = hasInput(formlet.node, 'button') ? null : markup`<p><button type="submit">${submit}</button></p>`;
  return markup`<form ${attributes(own)}>${told}${shown}${sender}</form>`;
}

function hasInput(node: FormletNode, type: 'file' | 'button'): boolean {
  if (node.kind === 'input')
    return (
      node.input.type === type && (type === 'file' || node.input.type !== 'button' || node.input.fieldType === 'submit')
    );
  return partsOf(node).some((part) => hasInput(part.node, type));
}
