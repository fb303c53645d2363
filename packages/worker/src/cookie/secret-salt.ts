// As a whole: a guest's thread has a module without the functions that change names.
import * as fs from 'node:fs';
import { crypto } from '../node-crypto.ts';
import { besideServlet } from '../servlet/beside.ts';

/** A secret can't be read, or can't be made where it is to be kept. */
export class SecretSaltError extends Error {
  override readonly name = 'SecretSaltError';
  readonly code = 'SERVLET_SECRET_SALT';
}

const SALT_BYTES = 128;
const SALT_MIN_BYTES = 16;

/**
 * A secret that is kept in a file: 128 random bytes, made by whoever asks first, which only the user of the process may
 * read (mode 0600). A path counts from the servlet's directory. A guest may write nowhere: for one, its operator makes the
 * file, for example with `head -c 128 /dev/urandom > salt; chmod 600 salt`, in the guest's directory.
 * @throws SecretSaltError
 * @see Racket `make-secret-salt/file`
 *
 * @example
 * ```ts
 * function remember(name: string) {
 *   return setCookie('Hello', createIdCookie('id', name, { key: secretSalt('.salt') }));
 * }
 * ```
 */
export function secretSalt(path: string | URL): Uint8Array {
  const file = besideServlet(path);
  try {
    return readSalt(file) ?? created(file);
  } catch (cause) {
    if (cause instanceof SecretSaltError) throw cause;
    const isForbidden = (cause as { code?: unknown }).code === 'ERR_ACCESS_DENIED';
    const why = isForbidden
      ? 'a guest may not read or make it (its operator makes it, in its directory)'
      : String((cause as Error).message);
    throw new SecretSaltError(`Cannot have a secret in "${file}": ${why}`, { cause });
  }
}

function readSalt(file: string): Uint8Array | null {
  let salt: Uint8Array;
  try {
    salt = fs.readFileSync(file);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null;
    throw error;
  }
  if (salt.length >= SALT_MIN_BYTES) return salt;
  throw new SecretSaltError(`Cannot have a secret in "${file}": it has less than ${SALT_MIN_BYTES} bytes`);
}

/** Whole or not at all: two threads may come at once, and the second takes what the first has made. */
function created(file: string): Uint8Array {
  const salt = crypto().randomBytes(SALT_BYTES);
  const partial = `${file}.${crypto().randomBytes(8).toString('hex')}`;
  fs.writeFileSync(partial, salt, { mode: 0o600, flag: 'wx' });
  try {
    fs.linkSync(partial, file);
    return salt;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    return readSalt(file) as Uint8Array;
  } finally {
    fs.unlinkSync(partial);
  }
}
