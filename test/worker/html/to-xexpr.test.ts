import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toXexpr } from '../../../packages/worker/src/html/to-xexpr.ts';
import { html, raw } from '../../../packages/worker/src/http/html.ts';
import { toHtml, XexprError } from '../../../packages/worker/src/http/xexpr.ts';
import { parsed } from '../../support/markup.ts';
import { HOSTILE_TEXT, randomTemplate, templateOf } from './random-template.ts';

describe('toXexpr()', () => {
  it.each<[string, unknown[]]>([
    ['', []],
    ['a & b', ['a & b']],
    ['<p class="big">Tea &amp; <b>bread</b><br></p>', [['p', { class: 'big' }, 'Tea & ', ['b', 'bread'], ['br']]]],
    ["<input disabled value='a&quot;b' size=3/>", [['input', { disabled: '', value: 'a"b', size: '3/' }]]],
    ['<P></p>', [['P']]],
    ['1 < 2 <3', ['1 < 2 <3']],
    ['<script>x &amp; y</script>', [['script', raw('x &amp; y')]]],
    ['<style>p{}</style>', [['style', 'p{}']]],
    ['<textarea><b>&lt;</textarea>', [['textarea', '<b><']]],
    [
      '<pre>\n\nx</pre><textarea>&#10;y</textarea>',
      [
        ['pre', '\nx'],
        ['textarea', 'y'],
      ],
    ],
    ['&#955;&#x41;', ['λA']],
    ['a&nbsp;b', ['a', raw('&nbsp;'), 'b']],
    ['<p title="&nbsp;">', [['p', { title: raw('&nbsp;') }]]],
    ['<!doctype html><!-- > --><p></p>', [raw('<!doctype html>'), raw('<!-- > -->'), ['p']]],
    ['<svg><path d="M0 0"/></svg>', [['svg', ['path', { d: 'M0 0' }]]]],
    ['<p a="1" a="2" __proto__="3">', [['p', { a: '1', ['__proto__']: '3' }]]],
  ])('toXexpr() reads %j', (markup, expected) => {
    // A start tag at the end is one whose end this table leaves out.
    expect(toXexpr(raw(/<p [^>]*>$/.test(markup) ? `${markup}</p>` : markup))).toEqual(expected);
  });

  it.each(['<p>', '</p>', '<b><i></b></i>', '<div/>', '<script>', '<p><br></br></p>'])(
    'toXexpr() refuses %j',
    (markup) => {
      expect(() => toXexpr(raw(markup))).toThrow(XexprError);
    },
  );

  it('toHtml() of toXexpr() is the same page', () => {
    fc.assert(
      fc.property(randomTemplate, fc.infiniteStream(HOSTILE_TEXT), (parts, texts) => {
        const { strings, count } = templateOf(parts);
        const page = html(strings, ...texts.take(count));
        const again = toXexpr(page).map((xexpr) => toHtml(xexpr).text);
        expect(parsed(again.join(''))).toEqual(parsed(page.text));
      }),
      { numRuns: 400 },
    );
  });

  it('toXexpr() ends, with an answer or an error, whatever the markup', () => {
    fc.assert(
      fc.property(HOSTILE_TEXT, HOSTILE_TEXT, (one, other) => {
        expect(outcomeOf(one + other)).toMatch(/^(?:a list|XexprError)$/);
      }),
      { numRuns: 2000 },
    );
  });
});

function outcomeOf(markup: string): string {
  try {
    return Array.isArray(toXexpr(raw(markup))) ? 'a list' : 'something else';
  } catch (error) {
    return (error as Error).name;
  }
}
