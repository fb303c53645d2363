import { planOf } from '../html/plan.ts';
import { Formlet } from './formlet.ts';
import type { AnyFormlet } from './node.ts';

type Part = Formlet<unknown> | readonly Formlet<unknown>[];
type Named = Readonly<Record<string, Part>>;

type ResultOf<Each> =
  Each extends Formlet<infer Value> ? Value : Each extends readonly Formlet<infer Value>[] ? Value[] : never;

/** The results of those parts that are formlets, in order. */
type ListOf<Parts extends readonly unknown[]> = Parts extends readonly [infer First, ...infer Rest]
  ? First extends Part
    ? [ResultOf<First>, ...ListOf<Rest>]
    : ListOf<Rest>
  : [];

type NamesIn<Parts extends readonly unknown[]> = Extract<Parts[number], Named>;
/** The results of the named parts, by name. */
type RecordOf<Each> = (
  Each extends Named ? (record: { -readonly [Name in keyof Each]: ResultOf<Each[Name]> }) => void : never
) extends (record: infer All) => void
  ? { -readonly [Name in keyof All]: All[Name] }
  : never;

/** What a template comes to: a record if any of its parts has a name, else the list of all results. */
export type TemplateResult<Parts extends readonly unknown[]> = [NamesIn<Parts>] extends [never]
  ? ListOf<Parts>
  : RecordOf<NamesIn<Parts>>;

const copies = new WeakMap<TemplateStringsArray, readonly string[]>();

/**
 * Formlets in a template of {@link html}. Those with names, `${{ month: inputInteger }}`, come to an object with these names; without
 * any names the template comes to the list of all results. An array of formlets comes to an array. Other values are shown.
 * @throws HtmlContextError, TypeError for a formlet that stands within a tag, and for a name that comes twice
 * @see Racket `formlet`, `formlet*`, `=>`, `=>*`
 *
 * @example
 * ```ts
 * const date = formlet`<div>Month: ${inputInteger} Day: ${inputInteger}</div>`;
 * const travel = formlet`<div>Name: ${{ name: inputString }} <div>Arrive: ${{ arrive: date }}</div></div>`;
 * const fields = new URLSearchParams({ input_0: 'Jay', input_1: '10', input_2: '3' });
 * await travel.process(fields); // { name: 'Jay', arrive: [10, 3] }
 * ```
 */
export function formlet<const Parts extends readonly unknown[]>(
  strings: TemplateStringsArray,
  ...values: Parts
): Formlet<TemplateResult<Parts>> {
  let copy = copies.get(strings);
  if (copy === undefined) copies.set(strings, (copy = [...strings]));
  const { holes } = planOf(copy);
  const names = new Set<string>();
  const parts = values.map((value, index) => {
    const part = partOf(value, names);
    if (part !== null && holes[index]?.kind !== 'text')
      throw new TypeError(
        'Cannot make a formlet: one of its parts stands within a tag, or where there can be only text',
      );
    return part;
  });
  const isRecord = names.size > 0;
  const own = values.map((value, index) => (parts[index] === null ? value : null));
  return new Formlet({ kind: 'template', strings: copy, parts, values: own, isRecord });
}

function partOf(value: unknown, names: Set<string>): AnyFormlet | null {
  if (typeof value !== 'object' || value === null) return null;
  if (value instanceof Formlet) return value;
  if (Array.isArray(value)) return listOf(value as readonly unknown[]);
  if (Object.getPrototypeOf(value) !== Object.prototype) return null;
  const entries = Object.entries(value).map(([name, part]) => [name, partOf(part, new Set())] as const);
  if (entries.length === 0 || entries.some(([, part]) => part === null)) return null;
  for (const [name] of entries) {
    if (names.has(name)) throw new TypeError(`Cannot make a formlet: the name "${name}" comes twice`);
    names.add(name);
  }
  return new Formlet({
    kind: 'record',
    names: entries.map(([name]) => name),
    parts: entries.map(([, part]) => part as AnyFormlet),
  });
}

/** null: a list of other things, which are shown. */
function listOf(value: readonly unknown[]): AnyFormlet | null {
  const isFormlets = value.every((item) => item instanceof Formlet) && value.length > 0;
  return isFormlets ? new Formlet({ kind: 'list', parts: value as readonly AnyFormlet[] }) : null;
}
