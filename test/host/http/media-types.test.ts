import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../packages/host/src/index.ts';
import { MediaTypes } from '../../../packages/host/src/http/media-types.ts';

const directory = mkdtempSync(join(tmpdir(), 'custodian-types-'));
afterAll(() => rmSync(directory, { recursive: true }));

function tableOf(text: string): MediaTypes {
  const file = join(directory, 'mime.types');
  writeFileSync(file, text);
  return new MediaTypes(file);
}

describe('MediaTypes', () => {
  it.each([
    ['a.html', 'text/html; charset=utf-8'],
    ['a.HTML', 'text/html; charset=utf-8'],
    ['a.mjs', 'text/javascript; charset=utf-8'],
    ['a.tar.gz', 'application/gzip'],
    ['a.svg', 'image/svg+xml'],
    ['a.woff2', 'font/woff2'],
    ['a.unheard-of', null],
    ['README', null],
    ['.html', null],
    ['a.', null],
    ['a.constructor', null],
    ['a.__proto__', null],
  ])('typeOf(%j) is %j', (file, type) => expect(new MediaTypes().typeOf(file)).toBe(type));

  it('typeOf() by a table of the operator’s own knows what that says, and nothing else', () => {
    const types = tableOf(
      '# a comment\n\ntext/html\thtml htm # another\r\ntext/x-old;charset=iso-8859-1 old\nimage/x-thing .thing\n',
    );
    expect(types.typeOf('a.htm')).toBe('text/html; charset=utf-8');
    expect(types.typeOf('a.old')).toBe('text/x-old;charset=iso-8859-1');
    expect(types.typeOf('a.thing')).toBe('image/x-thing');
    expect(types.typeOf('a.css')).toBeNull();
  });

  it('MediaTypes refuses a table that is none', () => {
    expect(() => tableOf('text/html html\nnonsense here\n')).toThrow('line 2');
    expect(() => tableOf('text/html\rX: y html\n')).not.toThrow();
    expect(() => new MediaTypes(join(directory, 'nowhere'))).toThrow(ConfigError);
  });
});
