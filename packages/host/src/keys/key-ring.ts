import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../config-error.ts';

/** A servlet's own key: what seals its continuations, or opens those that an older key of the ring has sealed. */
export interface ServletKey {
  id: number;
  /** 64 bytes: 32 to encrypt with, 32 to make nonces with. */
  secret: Uint8Array;
}

const KEY_MIN_BYTES = 32;
const SERVLET_KEY_BYTES = 64;
const ENTRY = /^(\d{1,3}):([\w+/-]+={0,2})$/;

/**
 * The host's secrets, of which every servlet's own are derived. The first one seals, all of them open: to rotate, put a
 * new one in front, and drop the old one when what it has sealed has expired.
 */
export class KeyRing {
  readonly #keys: readonly { id: number; secret: Buffer }[];

  private constructor(keys: { id: number; secret: Buffer }[]) {
    this.#keys = keys;
  }

  /**
   * A ring as it is written in a file or a variable: `ID:KEY` for each, divided by line ends, blanks or commas. ID is a
   * number from 0 to 255, KEY at least 32 random bytes in base64. `#` begins a comment.
   * @throws ConfigError, which tells no key
   */
  static parse(text: string, where: string): KeyRing {
    const keys = text
      .replaceAll(/#.*$/gm, '')
      .split(/[\s,]+/)
      .filter((entry) => entry !== '')
      .map((entry, index) => {
        const [, id = '', key = ''] = ENTRY.exec(entry) ?? [];
        const secret = Buffer.from(key, 'base64');
        if (id === '' || Number(id) > 255 || secret.length < KEY_MIN_BYTES)
          throw new ConfigError(
            `Cannot use the keys of ${where}: entry ${index + 1} is not ID:KEY, an ID from 0 to 255 and 32 random bytes in base64`,
          );
        return { id: Number(id), secret };
      });
    if (keys.length === 0) throw new ConfigError(`Cannot use the keys of ${where}: there is none`);
    if (new Set(keys.map(({ id }) => id)).size < keys.length)
      throw new ConfigError(`Cannot use the keys of ${where}: two have the same ID`);
    return new KeyRing(keys);
  }

  /**
   * The ring in a file that nobody but its owner may read; made with one random key when there is none.
   * @throws ConfigError
   */
  static open(file: string): KeyRing {
    for (;;) {
      try {
        if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0)
          throw new ConfigError(`Cannot use the keys of ${file}: others may read it (chmod 600 ${file})`);
        return KeyRing.parse(readFileSync(file, 'utf8'), file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw configError(file, error);
        makeFile(file);
      }
    }
  }

  /** A servlet's keys; the first one seals. No other servlet's can be told from them. */
  keysFor(servlet: string): ServletKey[] {
    return this.#keys.map(({ id, secret }) => ({
      id,
      secret: new Uint8Array(hkdfSync('sha256', secret, 'custodian', `stateless ${servlet}`, SERVLET_KEY_BYTES)),
    }));
  }

  /** Tells two rings apart, and no key. */
  get fingerprint(): string {
    const hash = createHash('sha256');
    for (const { id, secret } of this.#keys) hash.update(createHash('sha256').update(`${id}`).update(secret).digest());
    return hash.digest('hex').slice(0, 16);
  }
}

/** Whole, or not at all, whoever else makes it at the same time. */
function makeFile(file: string): void {
  const partial = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const descriptor = openSync(partial, 'wx', 0o600);
    try {
      writeFileSync(descriptor, `${HEADER}1:${randomBytes(KEY_MIN_BYTES).toString('base64url')}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      linkSync(partial, file);
    } finally {
      unlinkSync(partial);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw configError(file, error);
  }
}

const HEADER = `# Keys that seal the continuations of stateless servlets. Who has them can read and forge every page's state.
# ID:KEY, the first one seals, all open. A new one: head -c 32 /dev/urandom | base64
`;

function configError(file: string, error: unknown): ConfigError {
  if (error instanceof ConfigError) return error;
  return new ConfigError(`Cannot use the keys of ${file}: ${(error as Error).message}`, { cause: error });
}
