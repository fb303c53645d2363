import { hash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { didYouMean } from '../cli/nearest-name.ts';
import { ConfigError } from '../config-error.ts';
import { statelessRegexp } from '../stateless-regexp.ts';

/** Paths that are for certain visitors only. */
export interface Realm {
  /** What the browser shows when it asks for a password. ASCII. */
  realm: string;
  /** Found anywhere in the decoded path, which has neither parameters nor query. */
  path: string | RegExp;
  /** Passwords by user name; the case of a name does not count. */
  users: Readonly<Record<string, string>>;
}

interface CheckedRealm {
  realm: string;
  path: RegExp;
  /** Hashes of passwords by lower-case name. */
  users: Map<string, Buffer>;
}

/** Of nobody's password: an unknown name takes as long as a wrong password. */
const NOBODY = digest(`${process.pid} ${performance.now()}`);
const REALM_KEYS = ['realm', 'path', 'users'] as const satisfies readonly (keyof Realm)[];
/** For so long, in ms, what was seen last is taken for what is there. */
const FRESH_MS = 100;
const ASCII = /^[\x20-\x7e]+$/;

/** The realms of a host. */
export class Realms {
  readonly #realms: readonly CheckedRealm[];

  /** @throws ConfigError, whose message says which realm is wrong, and never a password */
  constructor(realms: unknown) {
    if (!Array.isArray(realms)) throw new ConfigError('Cannot use the passwords: they are no list of realms');
    this.#realms = realms.map(checked);
  }

  get isEmpty(): boolean {
    return this.#realms.length === 0;
  }

  /** The first realm around `path` that does not admit these credentials; null when all do, or there is none. */
  closedTo(path: string, credentials: { user: string; password: string } | null): string | null {
    return this.#realms.find((realm) => realm.path.test(path) && !admits(realm, credentials))?.realm ?? null;
  }
}

function admits({ users }: CheckedRealm, credentials: { user: string; password: string } | null): boolean {
  if (credentials === null) return false;
  return timingSafeEqual(users.get(credentials.user.toLowerCase()) ?? NOBODY, digest(credentials.password));
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

function checked(value: unknown, index: number): CheckedRealm {
  const problem = (what: string): ConfigError => new ConfigError(`Cannot use the passwords: realm ${index} ${what}`);
  if (typeof value !== 'object' || value === null) throw problem('is not an object');
  const { realm, path, users, ...others } = value as Partial<Realm>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw problem(`has an unknown key "${unknown}"${didYouMean(unknown, REALM_KEYS)}`);
  if (typeof realm !== 'string' || !ASCII.test(realm)) throw problem('has no "realm" in ASCII');
  if (typeof users !== 'object' || users === null) throw problem('has no "users"');
  const hashes = new Map<string, Buffer>();
  for (const [user, password] of Object.entries(users)) {
    if (typeof password !== 'string' || password === '') throw problem(`has no password for "${user}"`);
    if (user.includes(':')) throw problem(`has a user "${user}", whose name has a colon`);
    hashes.set(user.toLowerCase(), digest(password));
  }
  try {
    const pattern = path instanceof RegExp ? statelessRegexp(path) : null;
    if (pattern === null && typeof path !== 'string') throw problem('has no "path"');
    return { realm, path: pattern ?? new RegExp(path as string), users: hashes };
  } catch (error) {
    throw error instanceof ConfigError ? error : problem(`has a "path" that is no regexp: ${(error as Error).message}`);
  }
}

/** Realms that are kept in a file of JSON. It is looked at when a request comes, ten times a second at most, and read again when it has changed. */
export class RealmsFile {
  readonly path: string;
  readonly #onFault: (text: string) => void;
  #version = '';
  #realms: Realms | null = null;
  #seenAt = -Infinity;
  #looking: Promise<Realms | null> | null = null;
  /** How often it was asked to be read in any case. */
  #refreshes = 0;

  /** `onFault` hears once of each version that can't be used. */
  constructor(path: string, onFault: (text: string) => void) {
    this.path = path;
    this.#onFault = onFault;
  }

  /** Reads the file at the next request, whatever its time says. */
  refresh(): void {
    this.#refreshes++;
    this.#version = '';
    this.#seenAt = -Infinity;
  }

  /**
   * The realms; null while the file is missing or wrong: then nobody is let in, as nobody knows what is closed. At once, if
   * the file was looked at a moment ago.
   */
  get realms(): Realms | null | Promise<Realms | null> {
    if (performance.now() - this.#seenAt < FRESH_MS) return this.#realms;
    this.#looking ??= this.#look().finally(() => (this.#looking = null));
    return this.#looking;
  }

  async #look(): Promise<Realms | null> {
    const at = performance.now();
    const refreshes = this.#refreshes;
    const found = await stat(this.path).catch(() => undefined);
    const version = found === undefined ? 'missing' : `${found.mtimeMs} ${found.size} ${found.ino}`;
    const realms = version === this.#version ? this.#realms : await this.#read();
    // What was asked for meanwhile is newer than what was read.
    if (refreshes !== this.#refreshes) return this.#look();
    this.#version = version;
    this.#realms = realms;
    this.#seenAt = at;
    return realms;
  }

  async #read(): Promise<Realms | null> {
    try {
      return new Realms(JSON.parse(await readFile(this.path, 'utf8')));
    } catch (error) {
      // A message of the JSON parser shows what it met, which may be a password.
      const reason =
        error instanceof ConfigError
          ? error.message
          : error instanceof SyntaxError
            ? 'it is not JSON'
            : (error as Error).message;
      this.#onFault(`everything is closed: passwords "${this.path}" can not be used: ${reason}`);
      return null;
    }
  }
}
