import type { Place } from '../errors.ts';

/** A value that lives across a suspension can't be saved: it belongs to this process, or to nobody who could make it again. */
export class UnserializableError extends Error {
  override readonly name = 'UnserializableError';
  readonly code = 'SERVLET_UNSERIALIZABLE';
  /** The variable that holds it, or what else does: `a web cell`, `the embedded function`. */
  readonly variable: string;
  /** From the variable to the value: `cart.items[3].socket`; ` ... ` stands for the middle of a long one. */
  readonly path: string;
  /** The suspension that would need it; null outside of the author's code. */
  readonly place: Place | null;
  constructor(message: string, variable: string, path: string, place: Place | null) {
    super(message);
    this.variable = variable;
    this.path = path;
    this.place = place;
  }
}

/** The continuation needs code that is not what it was. It is never resumed in other code. */
export class CodeChangedError extends Error {
  override readonly name = 'CodeChangedError';
  readonly code = 'SERVLET_PROGRAM_CHANGED';
  /** The module that has changed, as its path below the servlet's directory. */
  readonly module: string;
  /** Its version that the continuation needs: 12 characters of base64url. */
  readonly hash: string;
  /** All modules that it needs, with their versions. */
  readonly modules: readonly (readonly [name: string, hash: string])[];
  constructor(
    module: string,
    hash: string,
    { isLoaded, modules = [[module, hash]] }: { isLoaded: boolean; modules?: CodeChangedError['modules'] },
  ) {
    super(
      `Cannot resume the continuation: ${isLoaded ? `"${module}" has changed since` : `"${module}", which it needs, is not part of the servlet`}`,
    );
    this.module = module;
    this.hash = hash;
    this.modules = modules;
  }
}

/** The bytes are no continuation, or not one of this version. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code = 'SERVLET_BAD_CONTINUATION';
}
