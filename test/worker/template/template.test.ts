import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest';
import type { Html } from '../../../packages/worker/src/index.ts';
import { template, textTemplate } from '../../../packages/worker/src/template/template.ts';
import { TemplateError } from '../../../packages/worker/src/template/template-source.ts';

const directory = mkdtempSync(join(tmpdir(), 'custodian-template-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
function file(text: string, name = `page-${++count}.html`): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const filled = (text: string, values: object = {}): string => template<object>(file(text))(values).text;

describe('template()', () => {
  it('template() fills in expressions, escaped by where they stand', () => {
    expect(filled('<h1 title="${a}">\n${a} & ${b.c.toUpperCase()}</h1>', { a: '"<', b: { c: 'x&' } })).toBe(
      '<h1 title="&quot;&lt;">\n&quot;&lt; & X&amp;</h1>',
    );
  });

  it('template() takes files as they are: backslashes, backticks, dollars, line ends', () => {
    const text = 'a \\ ` $ $x {} \\n \\${b} \\u0041 `${"`"}`\r\nend';
    expect(filled(text)).toBe('a \\ ` $ $x {} \\n ${b} \\u0041 ```\r\nend');
    expect(filled('<script>if (a && b) `${raw("c")}`</script><style>a > b { }</style>')).toBe(
      '<script>if (a && b) `c`</script><style>a > b { }</style>',
    );
  });

  it('template() leaves out a byte order mark, and counts columns without it', () => {
    expect(filled('\ufeff<!doctype html><p>${"x"}</p>')).toBe('<!doctype html><p>x</p>');
    expect(textTemplate<object>(file('\ufeffDear ${"x"}'))({})).toBe('Dear x');
    expect(catchError(() => filled('\ufeff<p>${'))).toMatchObject({ place: { line: 1, column: 4 } });
  });

  it('template() has loops, choices, fragments and types in its expressions', () => {
    const clients = [
      { name: 'Young', city: '<A>' },
      { name: 'Smith', city: 'B' },
    ];
    expect(
      filled(
        '<ul>${clients.map((c: { name: string; city: string }) => html`<li>${c.name}, ${c.city}</li>`)}</ul>${(clients as unknown[]).length > 5 && "many"}',
        { clients },
      ),
    ).toBe('<ul><li>Young, &lt;A&gt;</li><li>Smith, B</li></ul>');
    expect(
      filled('<input ${attributes({ checked: on })}>${toHtml(["b", "x"])}<script>${scriptValue(on)}</script>', {
        on: true,
      }),
    ).toBe('<input checked><b>x</b><script>true</script>');
  });

  it('template() includes others, from its own place', () => {
    file('<b>${name}</b>', 'inner.html');
    expect(
      filled('<p>${include("inner.html", { name })}${include("./inner.html", { name: 1 })}</p>', { name: '&' }),
    ).toBe('<p><b>&amp;</b><b>1</b></p>');
  });

  it('template() takes a URL, and values whose names are those of its helpers', () => {
    const page = template<{ html: string; raw: number }>(pathToFileURL(file('${html}${raw}')));
    expect(page({ html: 'x', raw: 1 }).text).toBe('x1');
    expectTypeOf(page).toEqualTypeOf<(values: { html: string; raw: number }) => Html>();
  });

  it('template() waits for promises and streams as html does', async () => {
    const page = template<object>(file('<p>${slow}</p>'))({ slow: Promise.resolve('<') });
    expect((await page.whole()).text).toBe('<p>&lt;</p>');
  });

  it('template() sees a change of the file, and compiles it once', () => {
    const path = file('<p>${a}</p>');
    const page = template<{ a: number }>(path);
    expect([page({ a: 1 }).text, page({ a: 2 }).text]).toEqual(['<p>1</p>', '<p>2</p>']);
    writeFileSync(path, '<b>${a + 1}</b>');
    expect(page({ a: 1 }).text).toBe('<b>2</b>');
    // Same size: the time tells.
    writeFileSync(path, '<i>${a + 1}</i>');
    utimesSync(path, new Date(), new Date(Date.now() + 5000));
    expect(page({ a: 1 }).text).toBe('<i>2</i>');
  });

  it('template() recovers when a broken file is mended', () => {
    const path = file('<p>${a}</p>');
    const page = template<{ a: number }>(path);
    writeFileSync(path, '<p>${a</p>');
    for (const _ of [1, 2]) expect(() => page({ a: 1 })).toThrow(TemplateError);
    rmSync(path);
    expect(() => page({ a: 1 })).toThrow(/ENOENT/);
    writeFileSync(path, '<p>${a}!</p>');
    expect(page({ a: 1 }).text).toBe('<p>1!</p>');
  });

  it.each<[string, string, number, number]>([
    ['an expression that does not end', '<p>\n${a', 2, 1],
    ['an empty expression', 'a\n\n ${ }', 3, 2],
    ['an expression that is none', '<p>${a}\n${b +}</p>', 2, 3],
    ['a statement', '<p>${const a = 1}</p>', 1, 6],
    ['a value without quotes', '<p>${a}</p>\n<p class=${b}>', 2, 12],
    ['a page that ends in a tag', '<p>${a}\n<b title="', 2, 11],
  ])('template() says where %s is', (_what, text, line, column) => {
    const path = file(text);
    expect(() => template(path)).toThrow(
      expect.objectContaining({ code: 'SERVLET_TEMPLATE', place: { file: path, line, column } }),
    );
    expect(() => template(path)).toThrow(`Cannot use the template ${path}:${line}:${column}: `);
  });

  it.each<[string, string, unknown, number, number]>([
    ['a text in a script', '<p>${1}</p>\n<script>${a}</script>', 'x', 2, 11],
    ['an address that runs', '\n\n<a href="${a}">', 'javascript:x', 3, 12],
    ['a value without a text', '<p>${1} ${a}</p>', {}, 1, 11],
  ])('template() says where %s stands', (_what, text, a, line, column) => {
    const path = file(text);
    expect(() => template<object>(path)({ a })).toThrow(
      expect.objectContaining({ place: { file: path, line, column } }),
    );
  });

  it('template() shows its own line in the stack of what its expressions throw', () => {
    const path = file('<h1>${title}</h1>\n<ul>\n  ${items.map((item) => item.name.first)}\n</ul>');
    const error = catchError(() => template<object>(path)({ title: '', items: [{}] }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.stack).toContain(`${path}:3:`);
    expect(catchError(() => template<object>(path)({ title: '' })).message).toBe('items is not defined');
    expect(catchError(() => template<object>(file('${a}'))({})).stack).toMatch(/page-\d+\.html:1:3/);
  });

  it('template() refuses values that no variable can hold, and files that are not there', () => {
    expect(() => filled('x', { 'a b': 1 })).toThrow('a value has the name "a b", which no variable can have');
    expect(() => template(join(directory, 'none.html'))).toThrow(/ENOENT/);
  });
});

describe('textTemplate()', () => {
  it('textTemplate() puts values in as they are', () => {
    const letter = textTemplate<{ name: string; sums: number[]; note?: string }>(
      file('Dear ${name},\n${sums.map((sum) => `${sum} €\n`)}${note}<', 'letter.txt'),
    );
    expect(letter({ name: '<Ada>', sums: [1, 2], note: undefined as never })).toBe('Dear <Ada>,\n1 €\n2 €\n<');
    expectTypeOf(letter).returns.toBeString();
  });
});

function catchError(body: () => unknown): Error {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
