import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { raw } from '../../../packages/worker/src/http/html.ts';
import { parsed } from '../../support/markup.ts';
import { XexprError, xexprToHtml } from '../../../packages/worker/src/http/xexpr.ts';

describe('xexprToHtml()', () => {
  it.each([
    [
      ['html', ['head', ['title', 'Hello']], ['body', 'Hi!']],
      '<html><head><title>Hello</title></head><body>Hi!</body></html>',
    ],
    [['p', 'a<b&c>"'], '<p>a&lt;b&amp;c&gt;"</p>'],
    [['p', { title: '<"&">' }, 'x'], '<p title="&lt;&quot;&amp;&quot;&gt;">x</p>'],
    [['br'], '<br/>'],
    [['input', { type: 'text', value: '' }], '<input type="text" value=""/>'],
    [['br', {}], '<br/>'],
    [['br', 'x'], '<br>x</br>'],
    [['textarea'], '<textarea></textarea>'],
    [['p', 955], '<p>&#955;</p>'],
    [['p', raw('<b>&</b>')], '<p><b>&</b></p>'],
    ['a & b', 'a &amp; b'],
  ])('xexprToHtml() writes %j', (value, markup) => {
    expect(xexprToHtml(value)).toBe(markup);
  });

  it.each([
    [[]],
    [[1, 'x']],
    [['p', null]],
    [['p', undefined]],
    [['p', true]],
    [['p', 'x', { class: 'late' }]],
    [['p', { n: 1 }]],
    [['p', { 'a b': 'x' }]],
    [['p onclick=x', 'y']],
    [['p><script', 'y']],
    [['p', -1]],
    [['p', 1.5]],
    [['p', 0]],
    [['p', 0xd800]],
    [['p', 0x110000]],
    [[['p']]],
    [{}],
    [null],
  ])('xexprToHtml() refuses %j', (value) => {
    expect(() => xexprToHtml(value)).toThrow(XexprError);
  });

  it.each(['textarea', 'pre', 'listing', 'PRE'])('xexprToHtml() keeps a line feed that comes first in %s', (tag) => {
    const lines: [unknown[], string][] = [
      [['\nx'], '\nx'],
      [['', '\n', '\nx'], '\n\nx'],
      [[10, 'x'], '\nx'],
      [['\r\nx'], '\r\nx'],
      [['x\n'], 'x\n'],
      [[raw('&#xA;x')], '\nx'],
    ];
    for (const [children, text] of lines)
      expect(parsed(xexprToHtml([tag, ...children]))).toEqual([[tag.toLowerCase(), {}, text]]);
  });

  it('xexprToHtml() fails on a cycle, and does not hang', () => {
    const cycle: unknown[] = ['p'];
    cycle.push(cycle, cycle);
    expect(() => xexprToHtml(cycle)).toThrow(RangeError);
  });

  it('xexprToHtml() gives back the text and the tags of any X-expression', () => {
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.string(),
        fc
          .tuple(
            fc.constantFrom('p', 'b', 'div', 'h1'),
            fc.dictionary(fc.constantFrom('id', 'class', 'data-x'), fc.string()),
            fc.array(tie('tree')),
          )
          .map(([tag, attributes, children]) => [tag, attributes, ...children]),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(parse(xexprToHtml(value))).toEqual(merged(flatten(value)));
      }),
    );
  });
});

/** Opening tags, attributes, texts and closing tags in order. */
function flatten(value: unknown): string[] {
  if (typeof value === 'string') return [`text ${value}`];
  const [tag, attributes, ...children] = value as [string, Record<string, string>, ...unknown[]];
  const own = Object.entries(attributes).map(([name, text]) => `${name}=${text}`);
  return [`<${tag}>`, ...own, ...children.flatMap(flatten), `</${tag}>`];
}

/** Neighbouring texts are one text in markup, and an empty one is none. */
function merged(tokens: string[]): string[] {
  const result: string[] = [];
  for (const token of tokens) {
    const last = result.at(-1);
    if (token === 'text ') continue;
    if (token.startsWith('text ') && last?.startsWith('text ')) result[result.length - 1] = last + token.slice(5);
    else result.push(token);
  }
  return result;
}

function parse(markup: string): string[] {
  const decode = (text: string): string =>
    text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
  const tokens: string[] = [];
  for (const [token] of markup.matchAll(/<\/?\w+(?: [^=]+="[^"]*")*>|[^<]+/g)) {
    const tag = /^<\w+/.exec(token);
    if (!token.startsWith('<')) tokens.push(`text ${decode(token)}`);
    else if (tag === null) tokens.push(token);
    else {
      tokens.push(`${tag[0]}>`);
      for (const [, name, value] of token.matchAll(/ ([^=]+)="([^"]*)"/g))
        tokens.push(`${name}=${decode(value as string)}`);
    }
  }
  return tokens;
}
