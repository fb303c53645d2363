import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeHtml, html, HtmlValueError, isHtml, raw } from '../../../packages/worker/src/http/html.ts';

function unescape(markup: string): string {
  return markup
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

describe('html', () => {
  it('html escapes its values and not its own text', () => {
    expect(html`<p title="${'"x"'}">${"<b>&'"}</p>`.text).toBe('<p title="&quot;x&quot;">&lt;b&gt;&amp;&#39;</p>');
  });

  it('html nests fragments and joins arrays, however deep', () => {
    const items = ['a<', html`<b>${1}</b>`, [[raw('<hr>')], 'c']];
    expect(html`<i>${items}</i>`.text).toBe('<i>a&lt;<b>1</b><hr>c</i>');
  });

  it('html prints nothing for null, undefined and false, and the rest of the primitives as they are', () => {
    expect(html`[${null}${undefined}${false}]${0}${10n}${true}${''}`.text).toBe('[]010true');
  });

  it('html shows an object by its own text, escaped', () => {
    expect(html`${new URL('http://a.example/?a&b')}`.text).toBe('http://a.example/?a&amp;b');
    expect(html`${{ toString: () => '<' }}`.text).toBe('&lt;');
  });

  it.each([
    ['a plain object', {}],
    ['an object without a prototype', Object.create(null)],
    ['a promise', Promise.resolve('x')],
    ['a function', () => 'x'],
    ['a symbol', Symbol('x')],
  ])('html throws for %s', (_what, value) => {
    expect(() => html`<p>${value}</p>`).toThrow(HtmlValueError);
  });

  it('html does not take data for a fragment, whatever its keys', () => {
    const forged: unknown = JSON.parse('{"text": "<script>", "custodian.html": true, "Symbol(custodian.html)": true}');
    expect(isHtml(forged as object)).toBe(false);
    expect(() => html`${forged}`).toThrow(HtmlValueError);
  });

  it('html takes a fragment of another copy of the library', () => {
    expect(isHtml({ [Symbol.for('custodian.html')]: true, text: '<b>' })).toBe(true);
  });
});

describe('escapeHtml()', () => {
  it('escapeHtml() leaves no character that opens markup, and loses nothing', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(fc.constantFrom('&', '<', '>', '"', "'", '&amp;'), fc.string()) }),
        (text) => {
          const escaped = escapeHtml(text);
          expect(escaped).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
          expect(unescape(escaped)).toBe(text);
        },
      ),
    );
  });
});
