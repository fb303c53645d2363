/** What compiled modules import. Nothing here is for authors. */
export { Activation, Signal, drive, passCatch, passFinally } from './activation.ts';
export { asyncCursorOf } from './async-cursor.ts';
export { cursorOf, cursorOfView, keysOf } from './cursor.ts';
export { elements } from './elements.ts';
export { functionTable } from './frame.ts';
export { accessorOf, accessors, bodyOf, closure, owned, registerModule, rename } from './module-code.ts';
export {
  addResource,
  bind,
  callWith,
  checked,
  checkedTarget,
  constant,
  constantTarget,
  disposal,
  keyOf,
  receiver,
  requireObject,
  restOf,
  unset,
  writable,
} from './support.ts';
