import type { Html } from '../html/fragment.ts';
import { displayed, type DisplayOptions } from './display.ts';
import type { FormletSource } from './entered.ts';
import type { Conversion, FormletNode } from './node.ts';
import { type FormletOutcome, processed } from './process.ts';
import type { StandardSchema } from './standard-schema.ts';

/**
 * A part of a form: how it looks, and what it comes to. Parts are put together to larger ones; the names of their inputs are
 * given when the form is shown, `input_0`, `input_1` and so on, so that one formlet can stand in a form any number of times.
 * @see Racket `formlet/c`
 */
export class Formlet<Value> {
  readonly node: FormletNode;

  constructor(node: FormletNode) {
    this.node = node;
  }

  /**
   * The same form with another result. The function may be async, and may suspend.
   * @see Racket `(cross (pure f) formlet)`
   *
   * @example
   * ```ts
   * const shouted = textInput().required().map((text) => text.toUpperCase());
   * await shouted.process(new URLSearchParams({ input_0: 'tea' })); // 'TEA'
   * ```
   */
  map<Result>(change: (value: Value) => Result | Promise<Result>): Formlet<Result> {
    return new Formlet({ kind: 'map', inner: this, change: change as (value: never) => unknown });
  }

  /**
   * Nothing, or an empty text, is a mistake.
   * @see Racket `required`, which takes an empty text for something
   *
   * @example
   * ```ts
   * const name = textInput({ label: 'Name' }).required('Who are you?');
   * name.display().text;
   * // '<label for="input_0">Name</label> <input type="text" name="input_0" id="input_0" required>'
   * ```
   */
  required(message = 'Please fill this in.'): Formlet<NonNullable<Value>> {
    return new Formlet({ kind: 'required', inner: this, message });
  }

  /**
   * In the place of nothing. An empty text is something.
   * @see Racket `default`
   *
   * @example
   * ```ts
   * const colour = textInput().withDefault('green');
   * await colour.process(new URLSearchParams()); // 'green'
   * ```
   */
  withDefault<Default>(value: Default): Formlet<NonNullable<Value> | Default> {
    return new Formlet({ kind: 'default', inner: this, value });
  }

  /**
   * The text without blanks at its ends.
   *
   * @example
   * ```ts
   * await textInput().trimmed().required().process(new URLSearchParams({ input_0: ' tea ' })); // 'tea'
   * ```
   */
  trimmed(): Formlet<Value> {
    return this.#convert('trimmed', '');
  }

  /**
   * The text as a number; what is none is a mistake. Nothing stays null.
   * @see Racket `to-number`
   *
   * @example
   * ```ts
   * await textInput().required().toNumber().process(new URLSearchParams({ input_0: '1.5' })); // 1.5
   * await textInput().toNumber().process(new URLSearchParams({ input_0: 'x' })); // throws FormletError
   * ```
   */
  toNumber(message = 'Please give a number.'): Formlet<Converted<Value, number>> {
    return this.#convert('number', message);
  }

  /**
   * The text as a whole number; what is none is a mistake. Nothing stays null.
   *
   * @example
   * ```ts
   * await textInput().required().toInteger().process(new URLSearchParams({ input_0: '7' })); // 7
   * ```
   */
  toInteger(message = 'Please give a whole number.'): Formlet<Converted<Value, number>> {
    return this.#convert('integer', message);
  }

  /**
   * Was anything chosen, or written?
   * @see Racket `to-boolean`
   *
   * @example
   * ```ts
   * await checkbox('on', false).toBoolean().process(new URLSearchParams()); // false
   * ```
   */
  toBoolean(): Formlet<boolean> {
    return this.#convert('boolean', '');
  }

  /**
   * A result that is not good is a mistake, with a message beside its first input, or beside the one that `path` leads to.
   * The function may be async.
   *
   * @example
   * ```ts
   * const age = textInput({ label: 'Age' }).required().toInteger().check((years) => years >= 18, 'Too young.');
   * (await age.read(new URLSearchParams({ input_0: '17' }))).problems; // new Map([['input_0', ['Too young.']]])
   * ```
   */
  check(
    isGood: (value: Value) => boolean | Promise<boolean>,
    message: string,
    path: readonly PropertyKey[] = [],
  ): Formlet<Value> {
    return new Formlet({ kind: 'check', inner: this, isGood: isGood as (value: never) => unknown, message, path });
  }

  /**
   * Hands the result to a validator that speaks Standard Schema, such as one of zod, valibot or arktype, and goes on with what that
   * makes of it. Its issues stand beside the inputs that their paths lead to.
   * @see https://standardschema.dev
   *
   * @example
   * ```ts
   * const even = {
   *   '~standard': {
   *     version: 1,
   *     vendor: 'this example',
   *     validate: (value: unknown) => (Number(value) % 2 === 0 ? { value: Number(value) } : { issues: [{ message: 'Even, please.' }] }),
   *   },
   * } as const;
   * await textInput().validate(even).process(new URLSearchParams({ input_0: '4' })); // 4
   * ```
   */
  validate<Output>(schema: StandardSchema<Output>): Formlet<Output> {
    return new Formlet({ kind: 'validate', inner: this, schema });
  }

  /**
   * How it looks: without `<form>`, for the inside of one.
   * @see Racket `formlet-display`
   *
   * @example
   * ```ts
   * formlet`Month: ${textInput()} Day: ${textInput()}`.display().text;
   * // 'Month: <input type="text" name="input_0"> Day: <input type="text" name="input_1">'
   * ```
   */
  display(options: DisplayOptions = {}): Html {
    return displayed(this, options);
  }

  /**
   * What it comes to, read from the fields of an answered form. Await it directly: what it calls may suspend.
   * @throws FormletError (rejecting) when something is not right
   * @see Racket `formlet-process`
   *
   * @example
   * ```ts
   * const date = formlet`${{ month: inputInteger }}/${{ day: inputInteger }}`;
   * await date.process(new URLSearchParams({ input_0: '10', input_1: '3' })); // { month: 10, day: 3 }
   * ```
   */
  process(source: FormletSource): Promise<Value> {
    return processed(this, source, true) as Promise<Value>;
  }

  /**
   * The same with what is not right as data: for pages that show the form again by themselves.
   *
   * @example
   * ```ts
   * const outcome = await inputInteger.read(new URLSearchParams({ input_0: 'x' }));
   * outcome.isGood; // false
   * inputInteger.display(outcome).text.includes('aria-invalid="true"'); // true
   * ```
   */
  read(source: FormletSource): Promise<FormletOutcome<Value>> {
    return processed(this, source, false) as Promise<FormletOutcome<Value>>;
  }

  #convert<Result>(to: Conversion, message: string): Formlet<Result> {
    return new Formlet({ kind: 'convert', inner: this, to, message });
  }
}

/** Nothing stays nothing. */
export type Converted<Value, Result> = null extends Value ? Result | null : Result;
