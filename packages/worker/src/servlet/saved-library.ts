/** What of the library itself can stand in a saved page: its frames, and objects that every process has. */
import { registerFrameKind } from '../continuation/serialize/frames.ts';
import { registerKnown } from '../continuation/serialize/known.ts';
import { registerSerializable } from '../continuation/serialize/registered.ts';
import { Entered } from '../formlet/entered.ts';
import { Formlet } from '../formlet/formlet.ts';
import type { FormletNode } from '../formlet/node.ts';
import { type Reading, ReadingFrame } from '../formlet/process.ts';
import { AskFrame, type FormOptions, JudgeFrame } from '../formlet/send-formlet.ts';
import { Html, RawHtml } from '../html/fragment.ts';
import * as library from '../index.ts';
import { ServletRequest, type SavedRequest } from '../http/request.ts';
import { expirationHandler } from './context.ts';
import { GuardFrame, type Send } from './guard.ts';
import { SequentialFrame } from './sequential.ts';

for (const [name, value] of Object.entries(library))
  if (typeof value === 'function') registerKnown(`custodian.${name}`, value);
registerKnown('custodian.expirationHandler', expirationHandler);

registerFrameKind({
  name: 'guard',
  Class: GuardFrame,
  values: ({ send }) => [send],
  make: ([send]) => new GuardFrame(send as Send),
});
registerFrameKind({
  name: 'sequential',
  Class: SequentialFrame,
  values: ({ items, each, results }) => [items, each, results],
  make: ([items, each, results]) =>
    new SequentialFrame(items as unknown[], each as SequentialFrame['each'], results as unknown[]),
});

registerFrameKind({
  name: 'formlet-ask',
  Class: AskFrame,
  values: ({ formlet, options }) => [formlet, options],
  make: ([formlet, options]) => new AskFrame(formlet as Formlet<unknown>, options as FormOptions),
});
registerFrameKind({
  name: 'formlet-judge',
  Class: JudgeFrame,
  values: ({ formlet, options }) => [formlet, options],
  make: ([formlet, options]) => new JudgeFrame(formlet as Formlet<unknown>, options as FormOptions),
});
registerFrameKind({
  name: 'formlet-reading',
  Class: ReadingFrame,
  values: ({ reading }) => [reading],
  make: ([reading]) => new ReadingFrame(reading as Reading),
});
registerSerializable(
  Formlet,
  (formlet) => formlet.node,
  (node) => new Formlet(node as FormletNode),
  { name: 'custodian.Formlet' },
);
registerSerializable(
  Entered,
  ({ texts, files }) => [texts, files],
  (data) => new Entered(...(data as [Entered['texts'], Entered['files']])),
  { name: 'custodian.Entered' },
);
registerSerializable(
  Html,
  (fragment) => fragment.text,
  (text) => new Html(text as string),
  { name: 'custodian.Html' },
);
registerSerializable(
  RawHtml,
  (fragment) => fragment.text,
  (text) => new RawHtml(text as string),
  { name: 'custodian.RawHtml' },
);

// What was not read of its body belongs to a connection, and is not saved.
registerSerializable(
  ServletRequest,
  (request) => request.toSaved(),
  (saved) => ServletRequest.fromSaved(saved as SavedRequest),
  { name: 'custodian.ServletRequest' },
);
