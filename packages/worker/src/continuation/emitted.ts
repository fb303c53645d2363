/** What compiled modules import. Nothing here is for authors. */
export { Activation, Signal, drive, passCatch, passFinally } from './activation.ts';
export { asyncCursorOf, cursorOf, elements, keysOf } from './cursor.ts';
export { functionTable } from './frame.ts';
export { bodyOf, closure, owned, registerModule } from './module-code.ts';
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
  requireObject,
  restOf,
  unset,
  writable,
} from './support.ts';
