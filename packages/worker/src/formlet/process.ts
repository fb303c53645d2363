import { Activation } from '../continuation/activation.ts';
import { Frame, noLocals } from '../continuation/frame.ts';
import { type Entered, enteredOf, type FormletSource } from './entered.ts';
import { readInput } from './read-input.ts';
import { type AnyFormlet, inputAt, inputName } from './node.ts';
import { pathOf, type StandardResult } from './standard-schema.ts';
import { type AdjustNode, type CallNode, type Step, stepsOf } from './steps.ts';

/** What is not right, by the name of the input; under "" what belongs to none. */
export type Problems = ReadonlyMap<string, readonly string[]>;

/** What a form came to. */
export type FormletOutcome<Value> = FormletGood<Value> | FormletBad;
export interface FormletGood<Value> {
  readonly isGood: true;
  readonly value: Value;
  readonly entered: Entered;
  readonly problems: Problems;
}
export interface FormletBad {
  readonly isGood: false;
  readonly entered: Entered;
  readonly problems: Problems;
}

/** Fields of a form are not right. */
export class FormletError extends Error {
  override readonly name = 'FormletError';
  readonly code = 'SERVLET_FORMLET';
  /** What there is to show. */
  readonly outcome: FormletBad;

  constructor(outcome: FormletBad) {
    const [field, messages] = [...outcome.problems][0] ?? ['', []];
    super(`Cannot read a form: ${field === '' ? 'it' : `its field "${field}"`} is not right: ${messages[0] ?? ''}`);
    this.outcome = outcome;
  }
}

/** What a part came to. A part that is not right comes to nothing, and so does what is made of it. */
type Result = { isGood: true; value: unknown } | { isGood: false };

const FAILED: Result = { isGood: false };

/** A form that is being read, at rest before a step. Data: it is kept while what the step has called waits. */
export interface Reading {
  formlet: AnyFormlet;
  entered: Entered;
  /** What is not right is an error, not an outcome. */
  throws: boolean;
  at: number;
  results: Result[];
  problems: Map<string, string[]>;
}

/** Reads a visitor's fields. */
export function processed(formlet: AnyFormlet, source: FormletSource, throws: boolean): Promise<unknown> {
  const reading = { formlet, entered: enteredOf(source), throws, at: 0, results: [], problems: new Map() };
  const activation = new Activation();
  return (activation.promise = goOn(activation, reading, null));
}

/** Waits while an author's function, called in reading a form, has suspended. */
export class ReadingFrame extends Frame {
  readonly reading: Reading;

  constructor(reading: Reading) {
    super(null, 1, noLocals, (again) => goOn(again, copyOf(reading), () => again.resumed()));
    this.reading = reading;
  }
}

function copyOf(reading: Reading): Reading {
  const problems = new Map(Array.from(reading.problems, ([name, messages]) => [name, [...messages]]));
  return { ...reading, results: [...reading.results], problems };
}

/**
 * Takes the steps that are left. `resumed`: gives what the function of the present step has come to. It is what a compiled
 * function with an `await` in a loop would be: a capture that passes leaves a frame.
 */
async function goOn(activation: Activation, reading: Reading, resumed: (() => unknown) | null): Promise<unknown> {
  const steps = stepsOf(reading.formlet.node);
  let answer = resumed;
  for (; reading.at < steps.length; reading.at += 1) {
    const step = steps[reading.at] as Step;
    if (step.step !== 'call') {
      take(step, reading);
      continue;
    }
    const given = reading.results.at(-1) as Result;
    if (!given.isGood) continue;
    let promise: Promise<unknown> | null = null;
    let value: unknown;
    try {
      value = answer === null ? call(step.node, given.value) : answer();
      if (value instanceof Promise) promise = value;
      value = await value;
    } catch (error) {
      throw activation.passed(error, promise, () => new ReadingFrame(copyOf(reading)));
    }
    answer = null;
    reading.results[reading.results.length - 1] = judged(step.node, step.first, given, value, reading);
  }
  return ending(reading);
}

function ending({ results, entered, problems, throws }: Reading): unknown {
  const result = results[0] as Result;
  if (!result.isGood || problems.size > 0) {
    const outcome: FormletBad = { isGood: false, entered, problems };
    if (throws) throw new FormletError(outcome);
    return outcome;
  }
  return throws ? result.value : { isGood: true, value: result.value, entered, problems };
}

function take(step: Exclude<Step, { step: 'call' }>, reading: Reading): void {
  const { results, entered } = reading;
  switch (step.step) {
    case 'value':
      results.push({ isGood: true, value: step.value });
      return;
    case 'input': {
      const read = readInput(step.input, step.name, entered);
      results.push(
        'problem' in read ? failed(reading, step.name, [read.problem]) : { isGood: true, value: read.value },
      );
      return;
    }
    case 'list':
      together(results, step.count, (values) => values);
      return;
    case 'record':
      together(results, step.names.length, (values) => recordOf(step.names, values));
      return;
    case 'merge':
      together(
        results,
        step.isRecord.length,
        (values) => Object.assign({}, ...values.filter((_value, index) => step.isRecord[index])) as unknown,
      );
      return;
    case 'adjust': {
      const given = results.pop() as Result;
      results.push(given.isGood ? adjusted(step.node, step.first, given.value, reading) : given);
    }
  }
}

/** Makes one result of the last ones. */
function together(results: Result[], count: number, make: (values: unknown[]) => unknown): void {
  const parts = results.splice(results.length - count, count);
  const values: unknown[] = [];
  for (const part of parts) if (part.isGood) values.push(part.value);
  results.push(values.length === count ? { isGood: true, value: make(values) } : FAILED);
}

function recordOf(names: readonly string[], values: readonly unknown[]): unknown {
  return Object.fromEntries(names.map((name, index) => [name, values[index]]));
}

function adjusted(node: AdjustNode, first: number, value: unknown, reading: Reading): Result {
  const isNothing = value === null || value === undefined;
  const isEmpty = isNothing || value === '' || (Array.isArray(value) && value.length === 0);
  switch (node.kind) {
    case 'required':
      return isEmpty ? failed(reading, inputName(first), [node.message]) : { isGood: true, value };
    case 'default':
      return { isGood: true, value: isNothing ? node.value : value };
    case 'convert': {
      if (node.to === 'boolean') return { isGood: true, value: !isEmpty };
      if (typeof value !== 'string') return { isGood: true, value };
      const text = value.trim();
      if (node.to === 'trimmed') return { isGood: true, value: text };
      const number = NUMBER.test(text) ? Number(text) : NaN;
      const isWanted = node.to === 'integer' ? Number.isSafeInteger(number) : Number.isFinite(number);
      return isWanted ? { isGood: true, value: number } : failed(reading, inputName(first), [node.message]);
    }
  }
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function call(node: CallNode, value: unknown): unknown {
  switch (node.kind) {
    case 'map':
      return node.change(value as never);
    case 'check':
      return node.isGood(value as never);
    case 'validate':
      return node.schema['~standard'].validate(value);
    case 'cross': {
      const [change, ...values] = value as [(...values: unknown[]) => unknown, ...unknown[]];
      return change(...values);
    }
  }
}

/** What the result is, after a function of the author has said something to it. */
function judged(node: CallNode, first: number, given: Result, answer: unknown, reading: Reading): Result {
  switch (node.kind) {
    case 'map':
    case 'cross':
      return { isGood: true, value: answer };
    case 'check':
      return answer === true
        ? given
        : failed(reading, inputName(inputAt(node.inner, first, node.path)), [node.message]);
    case 'validate': {
      const result = answer as StandardResult<unknown>;
      if (result.issues === undefined) return { isGood: true, value: result.value };
      for (const issue of result.issues)
        failed(reading, inputName(inputAt(node.inner, first, pathOf(issue))), [issue.message]);
      return FAILED;
    }
  }
}

function failed({ problems }: Reading, name: string, messages: readonly string[]): Result {
  const known = problems.get(name);
  if (known === undefined) problems.set(name, [...messages]);
  else known.push(...messages);
  return FAILED;
}
