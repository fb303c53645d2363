import { isSameText, type KeyRing } from '../cookie/key-ring.ts';
import type { PlainReply } from '../http/reply.ts';
import type { ServletRequest } from '../http/request.ts';
import { crypto } from '../node-crypto.ts';
import { credentialsOf, decodedText, parseAuthParams, quotedString } from './auth-params.ts';
import { DigestNonces, type NonceMemory, ThreadNonceMemory } from './digest-nonces.ts';

/** How the digests of a realm are made. */
export type DigestAlgorithm = 'SHA-256' | 'MD5';

/** Tells what is kept of a user: the password, or its digest by `digestHa1`. null: there is no such user. */
export type DigestLookup = (user: string, algorithm: DigestAlgorithm) => string | null | Promise<string | null>;

export interface DigestAuthOptions {
  /** What a visitor logs in to; latin1. */
  realm: string;
  /** Signs the nonces. */
  key: KeyRing;
  /** The user's password. Either this or `ha1Of`. */
  passwordOf?: DigestLookup;
  /** What `digestHa1` makes of the user's password: so the password itself need not be kept. */
  ha1Of?: DigestLookup;
  /** Offered in this order. Default: SHA-256, then MD5, since some clients know nothing else. */
  algorithms?: readonly DigestAlgorithm[];
  /** Comes back with each request as it is. */
  opaque?: string;
  /** A nonce is good for so long; then the browser takes the next one, without asking its user again. Default 300. */
  nonceMaxAgeSeconds?: number;
  /** Default: one of this thread, so that a replay is known in the thread that had the request. */
  nonces?: NonceMemory;
  /** Milliseconds since 1970. Default: `Date.now`. */
  clock?: () => number;
}

/** Who it is; or nobody, and the answer that asks. */
export type DigestOutcome = { user: string } | { user: null; challenge: PlainReply };

/** Asks visitors of a realm who they are, and looks at what they answer. */
export interface DigestAuth {
  /** Rejects only when the lookup does. */
  check(request: ServletRequest): Promise<DigestOutcome>;
  /** A 401 that asks. `isStale`: the password was right, and the nonce too old. */
  challenge(isStale?: boolean): PlainReply;
}

/**
 * Digest authentication: the password is never sent. Of what a client answers everything is checked: that the nonce is one
 * of ours and not too old, that its count was not used before, that the digest is of this very request, and the digest.
 * @throws TypeError, RangeError for options that can't be
 * @see Racket `make-digest-auth-header`, `make-check-digest-credentials`; RFC 7616
 *
 * @example
 * ```ts
 * const passwords = new Map([['ada', 'opensesame']]);
 * const staff = createDigestAuth({
 *   realm: 'staff',
 *   key: 'a secret of thirty-two bytes or more',
 *   passwordOf: (user) => passwords.get(user) ?? null,
 * });
 * async function office(request: ServletRequest) {
 *   const visitor = await staff.check(request);
 *   return visitor.user === null ? visitor.challenge : html`<p>Hello, ${visitor.user}.</p>`;
 * }
 * ```
 */
export function createDigestAuth(options: DigestAuthOptions): DigestAuth {
  return new Digest(options);
}

const HASHES: Readonly<Record<DigestAlgorithm, string>> = { 'SHA-256': 'sha256', MD5: 'md5' };

/**
 * What a server keeps of a password for digest authentication: the hash of user, realm and password, in hex. Who has it can
 * log in with it, in that realm.
 * @see Racket `password->digest-HA1`; RFC 7616 §3.4.2
 *
 * @example
 * ```ts
 * digestHa1('Mufasa', 'http-auth@example.org', 'Circle of Life', 'MD5'); // '3d78807defe7de2157e2b0b6573a855f'
 * ```
 */
export function digestHa1(
  user: string,
  realm: string,
  password: string,
  algorithm: DigestAlgorithm = 'SHA-256',
): string {
  // The client hashes the realm as it came, and a header has one byte per character.
  return hash(algorithm, Buffer.concat([Buffer.from(`${user}:`), bytesOf(realm), Buffer.from(`:${password}`)]));
}

/**
 * The parameters of digest credentials that came with a request, by name; null: none came, or none that can be read.
 * Nothing of them is checked.
 * @see Racket `request->digest-credentials`
 *
 * @example
 * ```ts
 * function whoSaysToBe(request: ServletRequest) {
 *   return digestCredentials(request)?.get('username') ?? 'nobody';
 * }
 * ```
 */
export function digestCredentials(request: ServletRequest): ReadonlyMap<string, string> | null {
  const text = credentialsOf(request.header('authorization'), 'digest');
  return text === null ? null : parseAuthParams(text);
}

class Digest implements DigestAuth {
  readonly #realm: string;
  readonly #lookup: { of: DigestLookup; isHa1: boolean };
  readonly #algorithms: readonly DigestAlgorithm[];
  readonly #opaque: string | null;
  readonly #nonces: DigestNonces;
  readonly #memory: NonceMemory;
  readonly #clock: () => number;

  constructor(options: DigestAuthOptions) {
    const {
      realm,
      key,
      passwordOf,
      ha1Of,
      algorithms = ['SHA-256', 'MD5'],
      opaque,
      nonceMaxAgeSeconds = 300,
    } = options;
    if ((passwordOf === undefined) === (ha1Of === undefined))
      throw new TypeError('Cannot make digest authentication: it needs one of passwordOf and ha1Of');
    if (algorithms.length === 0 || algorithms.some((name) => !Object.hasOwn(HASHES, name)))
      throw new TypeError('Cannot make digest authentication: its algorithms are not of SHA-256 and MD5');
    if (!(nonceMaxAgeSeconds > 0))
      throw new RangeError('Cannot make digest authentication: nonceMaxAgeSeconds is not above 0');
    quotedString(realm);
    quotedString(opaque ?? '');
    this.#realm = realm;
    this.#lookup = { of: (passwordOf ?? ha1Of) as DigestLookup, isHa1: ha1Of !== undefined };
    this.#algorithms = algorithms;
    this.#opaque = opaque ?? null;
    this.#nonces = new DigestNonces(key, realm, nonceMaxAgeSeconds * 1000);
    this.#memory = options.nonces ?? new ThreadNonceMemory();
    this.#clock = options.clock ?? Date.now;
  }

  challenge(isStale = false): PlainReply {
    const nonce = this.#nonces.create(this.#clock());
    const challenges = this.#algorithms.map(
      (algorithm) =>
        `Digest realm=${quotedString(this.#realm)}, qop="auth", algorithm=${algorithm}, nonce="${nonce}"` +
        (this.#opaque === null ? '' : `, opaque=${quotedString(this.#opaque)}`) +
        `, charset=UTF-8${isStale ? ', stale=true' : ''}`,
    );
    return { status: 401, headers: { 'WWW-Authenticate': challenges, 'Cache-Control': 'no-store' }, body: null };
  }

  async check(request: ServletRequest): Promise<DigestOutcome> {
    const params = digestCredentials(request);
    const answer = params === null ? null : this.#read(params, request);
    if (answer === null) return { user: null, challenge: this.challenge() };
    const { user, algorithm, nonce, count, response } = answer;
    const ha1 = await this.#ha1(user, algorithm);
    const expected = hash(algorithm, bytesOf(`${ha1 ?? hash(algorithm, crypto().randomBytes(16))}:${answer.rest}`));
    if (!isSameText(expected, response) || ha1 === null) return { user: null, challenge: this.challenge() };
    const expiresAtMs = this.#nonces.expiryOf(nonce, this.#clock());
    const isFirst = expiresAtMs !== null && (await this.#memory.use(nonce, count, expiresAtMs));
    return isFirst ? { user } : { user: null, challenge: this.challenge(true) };
  }

  /** The credentials, if they are whole and of this request; null: they are not. */
  #read(params: ReadonlyMap<string, string>, request: ServletRequest): Answer | null {
    const algorithm = this.#algorithms.find(
      (name) => name.toLowerCase() === (params.get('algorithm') ?? 'MD5').toLowerCase(),
    );
    const user = userOf(params);
    const [nonce, uri, response, count, cnonce] = ['nonce', 'uri', 'response', 'nc', 'cnonce'].map((name) =>
      params.get(name),
    );
    if (algorithm === undefined || user === null) return null;
    if (nonce === undefined || uri === undefined || response === undefined) return null;
    if (count === undefined || !/^[0-9a-f]{8}$/i.test(count) || cnonce === undefined || cnonce === '') return null;
    if (params.get('qop')?.toLowerCase() !== 'auth' || params.get('userhash')?.toLowerCase() === 'true') return null;
    if (params.get('realm') !== this.#realm || (params.get('opaque') ?? null) !== this.#opaque) return null;
    if (!isTarget(uri, request.url)) return null;
    const ha2 = hash(algorithm, bytesOf(`${request.method}:${uri}`));
    const rest = `${nonce}:${count}:${cnonce}:auth:${ha2}`;
    return { user, algorithm, nonce, count: Number.parseInt(count, 16), response: response.toLowerCase(), rest };
  }

  async #ha1(user: string, algorithm: DigestAlgorithm): Promise<string | null> {
    const known = await this.#lookup.of(user, algorithm);
    if (known === null || known === undefined) return null;
    return this.#lookup.isHa1 ? known.toLowerCase() : digestHa1(user, this.#realm, known, algorithm);
  }
}

interface Answer {
  user: string;
  algorithm: DigestAlgorithm;
  nonce: string;
  count: number;
  response: string;
  /** What is hashed behind the password's part. */
  rest: string;
}

function userOf(params: ReadonlyMap<string, string>): string | null {
  const user = params.get('username');
  const extended = params.get('username*');
  if ((user === undefined) === (extended === undefined)) return null;
  if (user !== undefined) return decodedText(bytesOf(user));
  // RFC 5987, of which RFC 7616 §3.4 takes UTF-8 only.
  const [, encoded] = /^utf-8'[^']*'((?:%[0-9a-f]{2}|[!#$&+\-.^_`|~0-9a-z])*)$/i.exec(extended as string) ?? [];
  try {
    return encoded === undefined ? null : decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** The digest is of the request target (RFC 7616 §3.4), which a client may know without the host. */
function isTarget(uri: string, target: string): boolean {
  if (uri === target) return true;
  const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target);
  return authority !== null && uri === (target.slice(authority[0].length) || '/');
}

/** Headers and targets have one character per byte. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function hash(algorithm: DigestAlgorithm, content: string | Uint8Array): string {
  return crypto().createHash(HASHES[algorithm]).update(content).digest('hex');
}
