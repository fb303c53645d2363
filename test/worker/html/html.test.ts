import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attributes } from '../../../packages/worker/src/html/attributes.ts';
import { toHtml } from '../../../packages/worker/src/http/xexpr.ts';
import {
  escapeHtml,
  html,
  HtmlContextError,
  HtmlUrlError,
  HtmlValueError,
  isHtml,
  raw,
  scriptValue,
} from '../../../packages/worker/src/http/html.ts';
import { parsed } from '../../support/markup.ts';
import { HOSTILE_TEXT, randomTemplate, templateOf } from './random-template.ts';

// The formatter lays templates of that name out anew, and these are about every character.
const h = html;

describe('html', () => {
  it('html escapes its values and not its own text', () => {
    expect(h`<p title="${'"x"'}">${"<b>&'"}</p>`.text).toBe('<p title="&quot;x&quot;">&lt;b&gt;&amp;&#39;</p>');
  });

  it('html nests fragments and joins lists, however deep', () => {
    const items = ['a<', h`<b>${1}</b>`, [[raw('<hr>')], 'c'], new Set(['d', 'e']), [1, 2].values().map(String)];
    expect(h`<i>${items}</i>`.text).toBe('<i>a&lt;<b>1</b><hr>cde12</i>');
  });

  it('html prints nothing for null, undefined and false, and the rest of the primitives as they are', () => {
    expect(h`[${null}${undefined}${false}]${0}${10n}${true}${''}`.text).toBe('[]010true');
  });

  it('html shows an object by its own text, escaped', () => {
    expect(h`${new URL('http://a.example/?a&b')}`.text).toBe('http://a.example/?a&amp;b');
    expect(h`${new URLSearchParams({ a: '1', b: '2' })}`.text).toBe('a=1&amp;b=2');
    expect(h`${{ toString: () => '<' }}`.text).toBe('&lt;');
  });

  it.each([
    ['a plain object', {}],
    ['an object without a prototype', Object.create(null)],
    ['a function', () => 'x'],
    ['a symbol', Symbol('x')],
    ['attributes', attributes({ id: 'x' })],
  ])('html throws for %s', (_what, value) => {
    expect(() => h`<p>${value}</p>`).toThrow(HtmlValueError);
    expect(() => h`<p title="${value}"></p>`).toThrow(HtmlValueError);
  });

  it('html does not take data for a fragment, whatever its keys', () => {
    const forged: unknown = JSON.parse('{"text": "<script>", "custodian.html": true, "Symbol(custodian.html)": true}');
    expect(isHtml(forged as object)).toBe(false);
    expect(() => h`${forged}`).toThrow(HtmlValueError);
  });

  it('html takes a fragment of another copy of the library', () => {
    const foreign = { [Symbol.for('custodian.html')]: true, text: '<b>' };
    expect(isHtml(foreign)).toBe(true);
    expect(h`<p>${foreign}</p>`.text).toBe('<p><b></p>');
  });
});

describe('html, where a value may not stand', () => {
  it.each<[string, () => unknown]>([
    ['an unquoted attribute', () => h`<a href=${'x'}>`],
    ['the end of an unquoted attribute', () => h`<a href=/x/${'x'}>`],
    ["a tag's name", () => h`<${'b'}>`],
    ["the rest of a tag's name", () => h`<h${1}>`],
    ['an end tag', () => h`<b></${'b'}>`],
    ["an attribute's name", () => h`<p ${'title'}="x">`],
    ["the rest of an attribute's name", () => h`<p data-${'x'}="y">`],
    ['a tag, without its quotes', () => h`<p ${'title="x"'}>`],
    ['a comment', () => h`<!-- ${'x'} -->`],
    ['a declaration', () => h`<!doctype ${'html'}>`],
    ['a processing instruction', () => h`<?php ${'x'}?>`],
    ['a CDATA section', () => h`<svg><![CDATA[${'x'}]]></svg>`],
    ['a script', () => h`<script>${'x'}</script>`],
    ['a script, as a number', () => h`<script>${1}</script>`],
    ['a script, as a fragment', () => h`<script>${h`x`}</script>`],
    ['a script in other letters', () => h`<SCRIPT\ntype=module>${'x'}</SCRIPT>`],
    ['a script behind a comment in it', () => h`<script><!-- <script> </script>${'x'}</script>`],
    ['a style sheet', () => h`<style>${'x'}</style>`],
    ['the attribute of an event', () => h`<p onclick="${'x'}">`],
    ['a style attribute', () => h`<p style="color: ${'red'}">`],
    ['an element of raw text', () => h`<iframe>${'x'}</iframe>`],
    ['an attribute with its quote just ended', () => h`<p title="x"${'y'}>`],
  ])('html refuses a value in %s', (_where, make) => {
    expect(make).toThrow(HtmlContextError);
    expect(make).toThrow(expect.objectContaining({ code: 'SERVLET_HTML_CONTEXT' }));
  });

  it.each<[string, () => unknown]>([
    ['a tag', () => h`<p `],
    ['an attribute', () => h`<p title="`],
    ['a comment', () => h`<!-- `],
    ['a script', () => h`<script>`],
    ['a textarea', () => h`<textarea>`],
    ['the beginning of a tag', () => h`x<`],
  ])('html refuses a template that ends within %s', (_where, make) => {
    expect(make).toThrow('Cannot read a template: it ends within');
  });

  it('html says where the value stands', () => {
    expect(() => h`<ul><li class=${'x'}></li></ul>`).toThrow(
      'Cannot put a value into the value of the attribute "class", which has no quotes, after "<ul><li class="',
    );
  });

  it('html takes values after what looks like a tag and is none', () => {
    expect(h`1 < ${2} <- </ > <!-- <b --> ${'<'}`.text).toBe('1 < 2 <- </ > <!-- <b --> &lt;');
    expect(h`<!-->${1}<!--->${2}`.text).toBe('<!-->1<!--->2');
    expect(h`<script>if (a < b) '<!--'; // --></script>${3}`.text).toContain('</script>3');
    expect(h`<p title='"<!--' hidden>${4}</p>`.text).toContain('>4<');
    expect(
      h`<style>
          a > b {
          }</style
        ><textarea></p>${5}</textarea>`.text,
    ).toContain('</p>5');
  });

  it('html refuses fragments with tags where tags are text', () => {
    expect(() => h`<title>${h`<b>x</b>`}</title>`).toThrow(HtmlValueError);
    expect(() => h`<p title="${h`<b>x</b>`}"></p>`).toThrow(HtmlValueError);
    expect(() => h`<textarea>${raw('</textarea>')}</textarea>`).toThrow(HtmlValueError);
    expect(h`<title>${h`a ${'&'}`}</title>`.text).toBe('<title>a &amp;</title>');
    expect(h`<p title="${h`say "${'&'}"`}">`.text).toBe('<p title="say &quot;&amp;&quot;">');
  });
});

describe('html, in scripts and styles', () => {
  it('html takes what raw and scriptValue mark', () => {
    expect(h`<script>f(${scriptValue({ a: ['<', 1, null] })})</script>`.text).toBe(
      '<script>f({"a":["\\u003c",1,null]})</script>',
    );
    expect(h`<style>a { color: ${raw('red')} }</style>`.text).toBe('<style>a { color: red }</style>');
    expect(h`<p style="width: ${50}%; color: ${raw('"red"')}" onclick="${raw("f('x')")}">`.text).toBe(
      '<p style="width: 50%; color: &quot;red&quot;" onclick="f(&#39;x&#39;)">',
    );
    expect(h`<script>${null}${false}${[scriptValue(1), raw(';')]}</script>`.text).toBe('<script>1;</script>');
  });

  it('html refuses even a marked text that would end its element', () => {
    for (const text of ['</script>', '</SCRIPT ', '<!--', '<script'])
      expect(() => h`<script>${raw(text)}</script>`).toThrow(HtmlContextError);
    expect(() => h`<style>${raw('</style>')}</style>`).toThrow(HtmlContextError);
  });

  it('scriptValue() gives the script the very value, and ends nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), HOSTILE_TEXT, (value, text) => {
        const both = [value, text];
        const [script] = parsed(h`<script>${scriptValue(both)}</script>`.text);
        expect(script).toEqual(['script', {}, expect.any(String)]);
        expect(JSON.parse((script as string[])[2] as string)).toEqual(JSON.parse(JSON.stringify(both)));
      }),
    );
  });

  it('scriptValue() throws for what has no JSON', () => {
    for (const value of [undefined, () => 1, 1n]) expect(() => scriptValue(value)).toThrow(TypeError);
  });
});

describe('html, in addresses', () => {
  it.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' \u0001javascript:alert(1)',
    'java\tscr\nipt\r:alert(1)',
    'vbscript:x',
    'data:text/html,<script>alert(1)</script>',
  ])('html refuses %j', (url) => {
    expect(() => h`<a href="${url}">x</a>`).toThrow(HtmlUrlError);
    expect(() => h`<form action="${url}"></form>`).toThrow(HtmlUrlError);
    expect(() => h`<button formaction="${url}">x</button>`).toThrow(HtmlUrlError);
    expect(() => h`<iframe src=" ${url}"></iframe>`).toThrow(HtmlUrlError);
    expect(() => h`<svg><a xlink:href="${url}">x</a></svg>`).toThrow(HtmlUrlError);
    expect(
      () =>
        h`<svg>
          <a><animate attributeName="href" to="${url}" /></a>
        </svg>`,
    ).toThrow(HtmlUrlError);
    expect(() => h`<a ${attributes({ href: url })}>x</a>`).toThrow(HtmlUrlError);
  });

  it.each([
    '/shop?q=tea',
    '',
    'mailto:ada@example.org',
    'tel:+49',
    'https://example.org/javascript:x',
    '?javascript:x',
    'x/data:y',
    '#javascript:',
  ])('html takes %j', (url) => {
    expect(h`<a href="${url}">x</a>`.text).toBe(`<a href="${url}">x</a>`);
  });

  it('html refuses a scheme that several values spell together, or with the text around them', () => {
    expect(() => h`<a href="${'java'}${'script:x'}"></a>`).toThrow(HtmlUrlError);
    expect(() => h`<a href="java${'script'}:x"></a>`).toThrow(HtmlUrlError);
    expect(() => h`<a href="${'javascript'}://x"></a>`).toThrow(HtmlUrlError);
    expect(() => h`<a href="javascript:f('${'x'}')"></a>`).toThrow(HtmlUrlError);
    expect(h`<a href="${'/a'}${'/b'}?x=${'javascript:'}">`.text).toBe('<a href="/a/b?x=javascript:">');
    expect(h`<a href="${'/a'}" title="${'javascript:x'}"></a>`.text).toContain('title="javascript:x"');
    expect(h`<a href='${'/a'}'></a><a href="${'b'}"></a>`.text).toBe(`<a href='/a'></a><a href="b"></a>`);
  });

  it('html takes data for what is shown or played, and what is vouched for', () => {
    expect(h`<img src="${'data:image/png;base64,AA=='}" />`.text).toContain('data:image/png');
    expect(() => h`<img src="${'javascript:x'}" />`).toThrow(HtmlUrlError);
    expect(h`<a href="${raw('javascript:void(0)')}">x</a>`.text).toContain('javascript:void(0)');
  });

  it('html puts into srcdoc markup whose text is what was put in', () => {
    const { text } = h`<iframe srcdoc="${h`<p>${'a & <b>'}</p>`}"></iframe>`;
    expect(parsed(text)).toEqual([['iframe', { srcdoc: '<p>a &amp; &lt;b&gt;</p>' }]]);
    const [frame] = parsed(h`<iframe srcdoc="${'<script>'}"></iframe>`.text) as [[string, { srcdoc: string }]];
    expect(parsed(frame[1].srcdoc)).toEqual(['<script>']);
  });
});

describe('html, in addresses that the author has begun', () => {
  it.each<[string, (value: string) => unknown]>([
    ['&Tab;javascript:', (value) => h`<a href="&Tab;javascript:${value}">x</a>`],
    ['javascript&colon;', (value) => h`<a href="javascript&colon;${value}">x</a>`],
    ['java&NewLine;script:', (value) => h`<a href="java&NewLine;script:${value}">x</a>`],
    ['j&#97;v&#x61script:', (value) => h`<a href="j&#97;v&#x61script:${value}">x</a>`],
    ['a fragment with references', (value) => h`<a href="${h`javascript&colon;${value}`}">x</a>`],
    ['a fragment among attributes', (value) => h`<a ${attributes({ href: h`javascript:${value}` })}>x</a>`],
    ['a fragment in an X-expression', (value) => toHtml(['a', { href: h`javascript&colon;${value}` }, 'x'])],
  ])('html refuses a value behind %s', (_what, make) => {
    expect(() => make('alert(1)')).toThrow(HtmlUrlError);
  });

  it('html takes references that spell no program', () => {
    expect(h`<a href="https&colon;&sol;&sol;${'a.example'}">x</a>`.text).toContain('&sol;a.example');
    expect(h`<a href="?a=1&copy;=${'javascript:'}">x</a>`.text).toContain('javascript:');
  });

  it.each(['javascript:x', '#a;javascript:x', 'https://a.example/; java\tscript:x;b'])(
    'html refuses %j as the values of an animation, of which each may become an address',
    (values) => {
      expect(() => h`<svg><a><animate attributeName="href" values="${values}" /></a></svg>`).toThrow(HtmlUrlError);
      expect(() => h`<svg><a><animate attributeName="href" values="#a;#b;${values}" /></a></svg>`).toThrow(
        HtmlUrlError,
      );
      expect(() => h`<svg><animate ${attributes({ values })} /></svg>`).toThrow(HtmlUrlError);
      expect(() => toHtml(['animate', { values }])).toThrow(HtmlUrlError);
    },
  );

  it('html takes several values of an animation, and looks at each with what stands around it', () => {
    expect(h`<animate values="${0};${10}; ${'#a'}" />`.text).toBe('<animate values="0;10; #a" />');
    expect(h`<animate values="${'https://a.example/x'};${'mailto:b'}" />`.text).toContain(';mailto:b');
    expect(() => h`<animate values="#a;java${'script'}:${1}" />`).toThrow(HtmlUrlError);
    expect(() => h`<animate values="#a&semi;javascript:${1}" />`).toThrow(HtmlUrlError);
  });
});

describe('attributes()', () => {
  it('attributes() writes what is there, and leaves out what is not', () => {
    const fields = { name: 'a"b', value: 3, checked: true, disabled: false, title: null, id: undefined };
    expect(h`<input type="text" ${attributes(fields)} />`.text).toBe(
      '<input type="text" name="a&quot;b" value="3" checked />',
    );
    expect(h`<input ${false} ${null}${attributes({ hidden: true })}${attributes({ lang: 'en' })}>`.text).toBe(
      '<input hidden lang="en">',
    );
  });

  it('attributes() takes for a program only what is marked, as a template does', () => {
    for (const values of [{ onclick: 'go()' }, { ONCLICK: 'go()' }, { style: 'color: red' }, { onclick: 5 }])
      expect(() => h`<p ${attributes(values)}></p>`).toThrow(/would be part of the program/);
    const marked = { onclick: raw('go("x")'), style: raw('color: red') };
    expect(h`<p ${attributes(marked)}></p>`.text).toBe('<p onclick="go(&quot;x&quot;)" style="color: red"></p>');
  });

  it.each(['a b', 'a"', "a'", 'a>', 'a/', 'a=', '', 'a\u0000'])('attributes() refuses the name %j', (name) => {
    expect(() => h`<p ${attributes({ [name]: 'x' })}></p>`).toThrow(HtmlValueError);
  });
});

describe('escapeHtml()', () => {
  it('escapeHtml() leaves no character that opens markup, and loses nothing', () => {
    fc.assert(
      fc.property(HOSTILE_TEXT, (text) => {
        const escaped = escapeHtml(text);
        expect(escaped).not.toMatch(/[<>"'\r]|&(?!amp;|lt;|gt;|quot;|#39;|#13;)/);
        expect(parsed(`<p>${escaped}</p>`)).toEqual([
          ['p', {}, ...(text === '' ? [] : [text.replaceAll('\0', '\ufffd')])],
        ]);
      }),
    );
  });
});

describe('html, in the eyes of a parser', () => {
  it('html shows every text as that text, and makes no element or attribute of it', () => {
    fc.assert(
      fc.property(randomTemplate, fc.infiniteStream(HOSTILE_TEXT), (parts, texts) => {
        const { strings, count } = templateOf(parts);
        const values = [...texts.take(count)];
        // The same page with harmless words tells its structure.
        const words = values.map((_value, index) => `word${index}word`);
        const shape = JSON.stringify(['page', ...parsed(html(strings, ...words).text)]);
        const expected: unknown = JSON.parse(shape, (_key, value: unknown) =>
          typeof value === 'string' ? withValues(value, values) : value,
        );
        expect(['page', ...parsed(html(strings, ...values).text)]).toEqual(withoutEmptyTexts(expected));
      }),
      { numRuns: 400 },
    );
  });

  it('html of values that are to come is the html of the values', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomTemplate,
        fc.infiniteStream(HOSTILE_TEXT),
        fc.infiniteStream(fc.nat(3)),
        async (parts, texts, ways) => {
          const { strings, count } = templateOf(parts);
          const values = [...texts.take(count)];
          const toCome = values.map((value, index) => laterBy([...ways.take(1)][0] as number, value, index));
          expect((await html(strings, ...toCome).whole()).text).toBe(html(strings, ...values).text);
        },
      ),
      { numRuns: 200 },
    );
  });
});

function withValues(text: string, values: readonly string[]): string {
  return text.replace(/word(\d+)word/g, (_word, index: string) =>
    (values[Number(index)] as string).replaceAll('\0', '\ufffd'),
  );
}

/** A text that is empty makes no node. */
function withoutEmptyTexts(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.filter((item, index) => index === 0 || item !== '').map(withoutEmptyTexts);
}

function laterBy(way: number, value: string, index: number): unknown {
  switch (way) {
    case 0:
      return value;
    case 1:
      return Promise.resolve(value);
    case 2:
      return [value.slice(0, index), Promise.resolve([value.slice(index)])];
    default:
      return ReadableStream.from([value.slice(0, 1), value.slice(1)]);
  }
}
