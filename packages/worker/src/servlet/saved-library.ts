/** What of the library itself can stand in a saved page: its frames, and objects that every process has. */
import { registerFrameKind } from '../continuation/serialize/frames.ts';
import { registerKnown } from '../continuation/serialize/known.ts';
import { registerSerializable } from '../continuation/serialize/registered.ts';
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

// What was not read of its body belongs to a connection, and is not saved.
registerSerializable(
  ServletRequest,
  (request) => request.toSaved(),
  (saved) => ServletRequest.fromSaved(saved as SavedRequest),
  { name: 'custodian.ServletRequest' },
);
