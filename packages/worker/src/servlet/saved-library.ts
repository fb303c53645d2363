/** What of the library itself can stand in a saved page: its frames, and objects that every process has. */
import { types } from 'node:util';
import { registerFrameKind } from '../continuation/serialize/frame-kinds.ts';
import { ownValue } from '../continuation/serialize/properties.ts';
import { registerKnown } from '../continuation/serialize/known.ts';
import { registerSerializable } from '../continuation/serialize/registered.ts';
import { Entered } from '../formlet/entered.ts';
import { Formlet } from '../formlet/formlet.ts';
import type { FormletNode } from '../formlet/node.ts';
import { type Reading, ReadingFrame } from '../formlet/process.ts';
import { AskFrame, type FormOptions, FormVisit, JudgeFrame } from '../formlet/send-formlet.ts';
import { Html, RawHtml } from '../html/fragment.ts';
import * as library from '../index.ts';
import { ServletRequest } from '../http/request.ts';
import { expirationHandler } from './context.ts';
import { GuardFrame, type Send } from './guard.ts';
import { SequentialFrame } from './sequential.ts';

const isString = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
/** What was not written so was not written by this library. */
function expected<Value>(is: (value: unknown) => value is Value, value: unknown): Value {
  if (!is(value)) throw new TypeError('Cannot make an object of the library: its data are something else');
  return value;
}

for (const [name, value] of Object.entries(library))
  if (typeof value === 'function') registerKnown(`custodian.${name}`, value);
registerKnown('custodian.expirationHandler', expirationHandler);

registerFrameKind({
  name: 'guard',
  Class: GuardFrame,
  values: ({ send }) => [send],
  make: ([send]) => (typeof send === 'function' ? new GuardFrame(send as Send) : null),
});
registerFrameKind({
  name: 'sequential',
  Class: SequentialFrame,
  values: ({ items, each, results }) => [items, each, results],
  make: ([items, each, results]) =>
    Array.isArray(items) && typeof each === 'function' && Array.isArray(results)
      ? new SequentialFrame(items, each as SequentialFrame['each'], results)
      : null,
});

registerFrameKind({
  name: 'formlet-ask',
  Class: AskFrame,
  values: ({ formlet, options }) => [formlet, options],
  make: ([formlet, options]) =>
    formlet instanceof Formlet && isObject(options) ? new AskFrame(formlet, options as FormOptions) : null,
});
registerFrameKind({
  name: 'formlet-judge',
  Class: JudgeFrame,
  values: ({ formlet, options }) => [formlet, options],
  make: ([formlet, options]) =>
    formlet instanceof Formlet && isObject(options) ? new JudgeFrame(formlet, options as FormOptions) : null,
});
registerFrameKind({
  name: 'formlet-reading',
  Class: ReadingFrame,
  values: ({ reading }) => [reading],
  make: ([reading]) => (isObject(reading) ? new ReadingFrame(reading as Reading) : null),
});
registerSerializable(
  Formlet,
  (formlet) => formlet.node,
  (node) => new Formlet(expected(isObject, node) as FormletNode),
  { name: 'custodian.Formlet' },
);
registerSerializable(
  FormVisit,
  ({ formlet, options }) => [formlet, options],
  (data) => {
    const [formlet, options] = [0, 1].map((at) => expected(isObject, ownValue(data as object, at)));
    if (!(formlet instanceof Formlet)) throw new TypeError('Cannot make a function of the library: it has no formlet');
    return FormVisit.of(formlet, options as FormOptions);
  },
  { name: 'custodian.FormVisit' },
);
registerSerializable(
  Entered,
  ({ texts, files }) => [texts, files],
  (data) => {
    const [texts, files] = [0, 1].map((at) => expected(types.isMap, ownValue(data as object, at)));
    return new Entered(texts as Entered['texts'], files as Entered['files']);
  },
  { name: 'custodian.Entered' },
);
registerSerializable(
  Html,
  (fragment) => fragment.text,
  (text) => new Html(expected(isString, text)),
  { name: 'custodian.Html' },
);
registerSerializable(
  RawHtml,
  (fragment) => fragment.text,
  (text) => new RawHtml(expected(isString, text)),
  { name: 'custodian.RawHtml' },
);

// What was not read of its body belongs to a connection, and is not saved.
registerSerializable(
  ServletRequest,
  (request) => request.toSaved(),
  (saved) => {
    const [isSecure, head, form] = ['isSecure', 'head', 'form'].map((key) => ownValue(saved as object, key));
    return ServletRequest.fromSaved({
      isSecure: isSecure === true,
      head: expected(isString, head),
      form: form === null ? null : expected(isString, form),
    });
  },
  { name: 'custodian.ServletRequest' },
);
