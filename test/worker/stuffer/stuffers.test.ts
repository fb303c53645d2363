import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { base64Stuffer, base64UrlStuffer } from '../../../packages/worker/src/stuffer/base64.ts';
import { gzipStuffer, PLAIN_MAX_BYTES } from '../../../packages/worker/src/stuffer/compress.ts';
import { dirStore, hashStuffer, md5Stuffer, type StufferStore } from '../../../packages/worker/src/stuffer/hash.ts';
import { hmacSha1, hmacStuffer } from '../../../packages/worker/src/stuffer/hmac.ts';
import {
  idStuffer,
  type Stuffer,
  stufferChain,
  stufferCompose,
  StufferError,
  stufferIf,
  stufferSequence,
} from '../../../packages/worker/src/stuffer/stuffer.ts';
import { charsInUrl, isUrlTooBig } from '../../../packages/worker/src/stuffer/stuffing.ts';

type Bytes = Stuffer<Uint8Array, Uint8Array>;
const root = mkdtempSync(join(tmpdir(), 'custodian-stuffers-'));
afterAll(() => rmSync(root, { recursive: true }));

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const isLong = (bytes: Uint8Array): boolean => bytes.length > 20;
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ maxLength: 500 }).map((each) => new Uint8Array(Buffer.from(each.repeat(4)))),
);

/** A store in memory that takes its time, and remembers what it was given. */
class SlowStore implements StufferStore {
  readonly kept = new Map<string, Uint8Array>();
  async write(key: string, value: Uint8Array): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.kept.set(key, value);
  }
  read(key: string): Uint8Array {
    const found = this.kept.get(key);
    if (found === undefined) throw new Error(`there is no ${key}`);
    return found;
  }
}

const STUFFERS: Record<string, Bytes> = {
  idStuffer: idStuffer(),
  base64Stuffer,
  base64UrlStuffer,
  gzipStuffer,
  hmacStuffer: hmacStuffer(randomBytes(32)),
  'hmacStuffer with SHA-1': hmacStuffer(randomBytes(20), { hash: 'sha1' }),
  hashStuffer: hashStuffer(new SlowStore()),
  md5Stuffer: md5Stuffer(join(root, 'md5')),
  stufferIf: stufferIf(isLong, gzipStuffer),
  stufferCompose: stufferCompose(base64Stuffer, hmacStuffer(randomBytes(32))),
  stufferSequence: stufferSequence(gzipStuffer, base64UrlStuffer),
  stufferChain: stufferChain(
    idStuffer<Uint8Array>(),
    isLong,
    gzipStuffer,
    base64Stuffer,
    (each) => each.length > 90,
    hashStuffer(new SlowStore()),
  ),
};

describe.each(Object.entries(STUFFERS))('%s', (_name, stuffer) => {
  test('turns back what it made, whatever it was', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, async (value) => {
        expect(text(await stuffer.out(stuffer.in(value)))).toBe(text(value));
      }),
      { numRuns: 40 },
    );
  });

  test('leaves what it is given as it is', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, async (value) => {
        const given = Uint8Array.from(value);
        const stuffed = stuffer.in(given);
        const before = text(stuffed);
        await stuffer.out(stuffed);
        expect([text(given), text(stuffed)]).toEqual([text(value), before]);
      }),
      { numRuns: 20 },
    );
  });

  test('answers random bytes with bytes, or refuses them', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, async (junk) => {
        const outcome = await Promise.resolve()
          .then(() => stuffer.out(junk))
          .catch((error: unknown) => error);
        expect(outcome instanceof Uint8Array || outcome instanceof Error).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

const from = (word: string): Uint8Array => Uint8Array.from(Buffer.from(word, 'latin1'));
/** Puts a letter in front. */
const mark = (letter: string): Bytes => ({
  in: (value) => from(letter + text(value)),
  out: (stuffed) => {
    expect(text(stuffed)[0]).toBe(letter);
    return stuffed.subarray(1);
  },
});

describe('combinators', () => {
  test('stufferCompose(g, f) does f first, stufferSequence(f, g) too', () => {
    expect(text(stufferCompose(mark('g'), mark('f')).in(from('x')))).toBe('gfx');
    expect(text(stufferSequence(mark('f'), mark('g')).in(from('x')))).toBe('gfx');
  });

  test('composition is associative, and the identity is its neutral', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const [f, g, h] = [mark('f'), gzipStuffer, base64Stuffer];
        expect(text(stufferCompose(h, stufferCompose(g, f)).in(value))).toBe(
          text(stufferCompose(stufferCompose(h, g), f).in(value)),
        );
        expect(text(stufferCompose(f, idStuffer<Uint8Array>()).in(value))).toBe(text(f.in(value)));
        expect(text(stufferCompose(idStuffer<Uint8Array>(), f).in(value))).toBe(text(f.in(value)));
      }),
      { numRuns: 30 },
    );
  });

  test('stufferIf() prepends 1 where it stuffed, and 0 where it did not', async () => {
    const stuffer = stufferIf((value) => value.length > 2, mark('f'));
    expect(text(stuffer.in(from('ab')))).toBe('0ab');
    expect(text(stuffer.in(from('abc')))).toBe('1fabc');
    expect(text(await stuffer.out(from('1fabc')))).toBe('abc');
    for (const junk of ['', '2abc', 'abc']) expect(() => stuffer.out(from(junk))).toThrow(StufferError);
  });

  test('stufferChain() guards by each condition all that follows it', () => {
    const chain = stufferChain(
      mark('a'),
      (value: Uint8Array) => value.length > 3,
      mark('b'),
      (value: Uint8Array) => value.length > 6,
      mark('c'),
    );
    expect(text(chain.in(from('xx')))).toBe('0axx');
    expect(text(chain.in(from('xxx')))).toBe('10baxxx');
    expect(text(chain.in(from('xxxxx')))).toBe('11cbaxxxxx');
    expect(text(stufferChain(mark('a')).in(from('x')))).toBe('ax');
  });

  test('an error of a stuffer that is waited for comes out of the whole', async () => {
    const chain = stufferChain(idStuffer<Uint8Array>(), base64Stuffer, hashStuffer(new SlowStore()));
    await expect(chain.out(from('A'.repeat(43)))).rejects.toThrow('there is no');
  });
});

describe('base64Stuffer', () => {
  test('writes one line with the plain alphabet, the other one what URLs are made of', () => {
    const value = Buffer.alloc(300, 0xfb);
    expect(text(base64Stuffer.in(value))).toBe(value.toString('base64'));
    expect(text(base64UrlStuffer.in(value))).toMatch(/^[\w-]+$/);
  });

  test('refuses every text but the one that it writes', () => {
    for (const junk of ['a', 'ab', 'ab=', 'ab==\n', 'aB==', 'a b=', '=', 'ab==ab==', 'é'])
      expect(() => base64Stuffer.out(from(junk)), junk).toThrow(StufferError);
    for (const junk of ['a', 'aB', 'ab==', 'a+b/'])
      expect(() => base64UrlStuffer.out(from(junk)), junk).toThrow(StufferError);
  });
});

describe('gzipStuffer', () => {
  test('makes less of what repeats, and the same each time', () => {
    const value = Buffer.alloc(6000, 'a');
    expect(gzipStuffer.in(value).length).toBeLessThan(60);
    expect(text(gzipStuffer.in(value))).toBe(text(gzipStuffer.in(value)));
  });

  test('inflates nothing to more than it says, nor to more than 4 MiB', () => {
    const bomb = deflateRawSync(Buffer.alloc(64 << 20));
    const honest = gzipStuffer.in(Buffer.alloc(PLAIN_MAX_BYTES));
    expect((gzipStuffer.out(honest) as Uint8Array).length).toBe(PLAIN_MAX_BYTES);
    for (const length of [
      [5],
      [0xff, 0xff, 0xff, 0x1f],
      [0x80, 0x80, 0x80, 0x20],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ])
      expect(() => gzipStuffer.out(Buffer.concat([Buffer.from(length), bomb]))).toThrow(StufferError);
    expect(() => gzipStuffer.out(gzipStuffer.in(Buffer.alloc(PLAIN_MAX_BYTES + 1)))).toThrow(StufferError);
    expect(() => gzipStuffer.out(Buffer.from([3, ...deflateRawSync('ab')]))).toThrow(StufferError);
    for (const junk of [[], [0x80], [5]]) expect(() => gzipStuffer.out(Buffer.from(junk))).toThrow(StufferError);
  });
});

describe('hmacStuffer()', () => {
  test('hmacSha1() is 20 bytes, as RFC 2202 has them', () => {
    const digest = hmacSha1(Buffer.alloc(20, 0x0b), Buffer.from('Hi There'));
    expect(Buffer.from(digest).toString('hex')).toBe('b617318655057264e28bc0b6fb378c8ef146be00');
  });

  test.each([
    ['sha1', 20],
    ['sha256', 32],
  ] as const)('with %s puts %i bytes in front, and refuses a change in any of all', (hash, length) => {
    const stuffer = hmacStuffer(Buffer.from('key'), { hash });
    const signed = stuffer.in(from('some data'));
    expect(signed.length).toBe(length + 9);
    expect(text(signed.subarray(length))).toBe('some data');
    for (let at = 0; at < signed.length; at++) {
      const changed = Uint8Array.from(signed);
      changed[at]! ^= 1;
      expect(() => stuffer.out(changed)).toThrow('the signature does not match');
    }
    for (const cut of [0, 5, length - 1, signed.length - 1])
      expect(() => stuffer.out(signed.subarray(0, cut))).toThrow(StufferError);
    expect(() => hmacStuffer(Buffer.from('other'), { hash }).out(signed)).toThrow(StufferError);
  });
});

describe('hashStuffer()', () => {
  test('keeps the same bytes once, under their hash', async () => {
    const store = new SlowStore();
    const stuffer = hashStuffer(store);
    const keys = [stuffer.in(from('a')), stuffer.in(from('a')), stuffer.in(from('b'))].map(text);
    expect(keys[0]).toBe(keys[1]);
    expect(text(await stuffer.out(from(keys[2]!)))).toBe('b');
    expect([...store.kept.keys()].sort()).toEqual([...new Set(keys)].sort());
  });

  test('refuses what is no key, before it asks the store', async () => {
    const store: StufferStore = { write: () => {}, read: () => Promise.reject(new Error('asked')) };
    for (const junk of ['', '../../etc/passwd', 'A'.repeat(42), `${'A'.repeat(42)}/`])
      await expect(hashStuffer(store).out(from(junk))).rejects.toThrow(StufferError);
    await expect(hashStuffer(store, { hash: 'md5' }).out(from('A'.repeat(32)))).rejects.toThrow(StufferError);
    await expect(hashStuffer(store).out(from('A'.repeat(43)))).rejects.toThrow('asked');
  });

  test('md5Stuffer() makes one file for the same bytes, in a directory that it makes', async () => {
    const directory = join(root, 'new', 'deep');
    const stuffer = md5Stuffer(directory);
    const key = stuffer.in(from('content'));
    expect(text(key)).toMatch(/^[0-9a-f]{32}$/);
    await stuffer.out(key);
    await stuffer.out(stuffer.in(from('content')));
    expect(readdirSync(directory)).toEqual([text(key)]);
  });

  test('dirStore() that may not write says so', async () => {
    writeFileSync(join(root, 'file'), '');
    await expect(Promise.resolve(dirStore(join(root, 'file')).write('key', from('x')))).rejects.toMatchObject({
      code: 'EEXIST',
    });
  });
});

describe('isUrlTooBig()', () => {
  test('counts what a byte takes in a URL', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const unreserved = text(value).match(/[\w.~-]/g)?.length ?? 0;
        expect(charsInUrl(value)).toBe(unreserved + 3 * (value.length - unreserved));
      }),
    );
  });

  test('is true from 2,049 characters on', () => {
    expect([2048, 2049].map((length) => isUrlTooBig(Buffer.alloc(length, 'a')))).toEqual([false, true]);
    expect([682, 683].map((length) => isUrlTooBig(Buffer.alloc(length, '=')))).toEqual([false, true]);
  });
});
