import type * as NodeCrypto from 'node:crypto';

let loaded: typeof NodeCrypto | null = null;

/** Node's cryptography. Loaded by the first that needs it: most servlets need none, and each thread would pay for it. */
export function crypto(): typeof NodeCrypto {
  return (loaded ??= process.getBuiltinModule('node:crypto'));
}
