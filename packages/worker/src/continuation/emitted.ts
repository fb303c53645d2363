/** What compiled modules import. Nothing here is for authors. */
export { Activation, Signal, drive, passCatch, passFinally } from './activation.ts';
export { asyncCursorOf } from './async-cursor.ts';
export { cursorOf, cursorOfView, keysOf } from './cursor.ts';
export { elements } from './elements.ts';
export { functionTable } from './frame.ts';
export { accessorOf, accessors, bodyOf, closure, owned, registerModule, rename } from './module-code.ts';
export { addResource, disposal } from './resources.ts';
export {
  bind,
  callWith,
  checked,
  checkedTarget,
  constant,
  constantTarget,
  keyOf,
  receiver,
  requireObject,
  restOf,
  unset,
  writable,
} from './support.ts';
