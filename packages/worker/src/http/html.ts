import { Html, RawHtml } from '../html/fragment.ts';
import { escapeHtml } from '../html/escape.ts';
import { PendingHtml } from '../html/pending.ts';
import { type Hole, type Plan, planOf } from '../html/plan.ts';
import { NOT_YET, show } from '../html/show.ts';

export { escapeHtml } from '../html/escape.ts';
export {
  Html,
  HtmlContextError,
  HtmlPendingError,
  HtmlUrlError,
  HtmlValueError,
  isHtml,
  isPending,
} from '../html/fragment.ts';

/** A template's texts are the same array at each of its uses. */
const plans = new WeakMap<readonly string[], Plan>();

/**
 * A template whose values are shown as what they are, wherever they stand. Between tags and in quoted attributes they
 * are escaped; fragments nest as they are, lists are joined, and null, undefined and false show nothing. A promise, a
 * stream or another async iterable may stand wherever its value may: the page is then sent as it comes.
 *
 * Values may not stand where nothing makes them safe: in an attribute without quotes, in names of tags and attributes
 * (but see {@link attributes}), in comments. In scripts and style sheets only {@link scriptValue} and {@link raw} may
 * stand. An address in `href`, `src` and the like must not be one that runs as a program, such as `javascript:`.
 *
 * @throws HtmlContextError when a value stands where none may, or the template ends within a tag
 * @throws HtmlValueError for a value that has no text, such as a plain object
 * @throws HtmlUrlError for an address that would run as a program when it is followed
 * @see Racket `response/xexpr`, `include-template`
 *
 * @example
 * ```ts
 * const names = ['Ada', '<b>'];
 * html`<ul title="${'"all"'}">${names.map((name) => html`<li>${name}</li>`)}</ul>`.text;
 * // '<ul title="&quot;all&quot;"><li>Ada</li><li>&lt;b&gt;</li></ul>'
 * ```
 */
export function html(strings: TemplateStringsArray, ...values: unknown[]): Html {
  const plan = plans.get(strings) ?? planFor(strings);
  const { texts, holes } = plan;
  let text = texts[0] as string;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (typeof value === 'string' && (holes[index] as Hole).isSimple) text += escapeHtml(value);
    else {
      const shown = show(plan, values, index);
      if (shown === NOT_YET) return new PendingHtml(plan, values, index, text);
      text += shown;
    }
    text += texts[index + 1] as string;
  }
  return new Html(text);
}

function planFor(strings: TemplateStringsArray): Plan {
  const plan = planOf(strings);
  plans.set(strings, plan);
  return plan;
}

/**
 * Marks markup as trusted: it goes into a page as it is. Never for what a visitor sent.
 * @see Racket `cdata`, `make-cdata`
 *
 * @example
 * ```ts
 * html`<p>${raw('1&nbsp;000')} and ${'&nbsp;'}</p>`.text;
 * // '<p>1&nbsp;000 and &amp;nbsp;</p>'
 * ```
 */
export function raw(markup: string): Html {
  return new RawHtml(markup);
}

const UNSAFE_IN_SCRIPT = /[<>&\u2028\u2029]/g;

/**
 * A value as a literal of JavaScript, for a place in a script of a `html` template. Whatever text is in the value, it
 * can't end the script.
 * @throws TypeError for what has no JSON: undefined, a function, a cycle, a bigint
 *
 * @example
 * ```ts
 * html`<script>show(${scriptValue({ name: '</script>' })})</script>`.text;
 * // '<script>show({"name":"\\u003c/script\\u003e"})</script>'
 * ```
 */
export function scriptValue(value: unknown): Html {
  const literal: string | undefined = JSON.stringify(value);
  if (literal === undefined) throw new TypeError(`Cannot write a value into a script: ${typeof value} has no JSON`);
  return new RawHtml(
    literal.replace(UNSAFE_IN_SCRIPT, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}
