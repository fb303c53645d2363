import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KeyRing } from '../../../packages/host/src/keys/key-ring.ts';

const key = (): string => randomBytes(32).toString('base64url');

describe('KeyRing', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'custodian-keys-'));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  test('open() makes a file of one random key for its owner alone, and reads the same ring from it again', () => {
    const file = join(root, 'state', 'keys');
    const made = KeyRing.open(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(KeyRing.open(file).keysFor('sum2')).toEqual(made.keysFor('sum2'));
    expect(KeyRing.open(join(root, 'other')).keysFor('sum2')).not.toEqual(made.keysFor('sum2'));
    expect(readFileSync(file, 'utf8')).toMatch(/^1:[\w-]{43}$/m);
  });

  test('open() refuses a file that others may read, one without keys, and what is no file', () => {
    const file = join(root, 'open');
    writeFileSync(file, `1:${key()}`, { mode: 0o600 });
    chmodSync(file, 0o640);
    expect(() => KeyRing.open(file)).toThrow(/others may read it/);
    writeFileSync(join(root, 'empty'), '# nothing yet\n', { mode: 0o600 });
    expect(() => KeyRing.open(join(root, 'empty'))).toThrow(/there is none/);
    chmodSync(root, 0o700);
    expect(() => KeyRing.open(root)).toThrow(expect.objectContaining({ code: 'CUSTODIAN_CONFIG' }));
  });

  test('parse() reads keys however they are divided, with comments, in both kinds of base64', () => {
    const secret = Buffer.alloc(32, 0xfb);
    const text = `# new\n7:${secret.toString('base64')}  # the one that seals\n6:${key()}, 5:${secret.toString('base64url')}`;
    const keys = KeyRing.parse(text, 'a test').keysFor('a');
    expect(keys.map(({ id }) => id)).toEqual([7, 6, 5]);
    expect(keys[0]!.secret).toEqual(keys[2]!.secret);
  });

  test.each(['x', '1', '1:', '1:short', `256:${key()}`, `-1:${key()}`, `1:${key()}:x`, `1:${key()} 1:${key()}`, ''])(
    'parse() refuses %j, and does not tell it on',
    (text) => {
      expect(() => KeyRing.parse(text, 'a test')).toThrow(/^Cannot use the keys of a test: [\w ,:]+$/);
    },
  );

  test('every servlet has keys of its own', () => {
    const ring = KeyRing.parse(`1:${key()} 0:${key()}`, 'a test');
    const secrets = ['a', 'b', 'a/b', ''].flatMap((servlet) =>
      ring.keysFor(servlet).map(({ secret }) => Buffer.from(secret).toString('hex')),
    );
    expect(new Set(secrets).size).toBe(8);
    expect(secrets.every((secret) => secret.length === 128)).toBe(true);
    expect(ring.keysFor('a')).toEqual(ring.keysFor('a'));
  });

  test('a fingerprint tells rings apart', () => {
    const text = `1:${key()}`;
    expect(KeyRing.parse(text, 'a').fingerprint).toBe(KeyRing.parse(` ${text} `, 'b').fingerprint);
    expect(KeyRing.parse(text, 'a').fingerprint).not.toBe(KeyRing.parse(`1:${key()}`, 'b').fingerprint);
  });
});
