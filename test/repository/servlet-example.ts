import { continuationsOf, type Shown, type Visitor } from '../support/visitor.ts';

/** The first function at the margin of an example, and its parameters. */
const FUNCTION =
  /^(?:async )?(?:function (\w+)\(([^{]*?)\)(?:: [\w<>]+)? \{|const (\w+) = (?:async )?\((request: ServletRequest|)\) =>)/m;
/** What these functions are given, by the names of their parameters. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  age: '20',
  connect: 'async () => ({ query: async (text) => text })',
  count: '1',
  forEach: `async (visit) => { for (const name of ['one', 'two']) await visit(name); }`,
  request: 'request',
  save: 'async () => {}',
  send: 'async () => {}',
  sum: '5',
  wares: `'Tea'`,
};
/** What a visitor fills in, by the names of the fields. */
const FIELDS = {
  city: 'Rome',
  n: '1',
  name: 'Ada',
  age: '20',
  text: 'a long one',
  title: 'Tea',
  tea: 'green',
  input_0: 'Ada',
};
const STEPS_MAX_COUNT = 4;

/** The call of the function that an example is about; null: it is about none that makes pages. */
export function callIn(code: string): string | null {
  const [, declared, parameters, constant, request] = FUNCTION.exec(code) ?? [];
  const name = declared ?? constant;
  // A stream of events has no end to be awaited, and templates lie in files.
  if (name === undefined || /\b(?:eventStream|template|textTemplate)[<(]/.test(code)) return null;
  const given = (parameters ?? request ?? '').split(/,\s*(?=\w+:)/).flatMap((each) => /^\w+/.exec(each)?.[0] ?? []);
  // Such as a helper that is given a cache: it makes no page.
  if (given.some((each) => ARGUMENTS[each] === undefined)) return null;
  return `${name}(${given.map((each) => ARGUMENTS[each]).join(', ')})`;
}

/** All that a visitor is answered who fills in every form, until there is nothing to go on with. */
export async function answersOf(visitor: Visitor, path: string): Promise<Shown[]> {
  const answers = [await visitor.get(path)];
  for (let step = 0; step < STEPS_MAX_COUNT; step++) {
    const { headers, text } = answers.at(-1) as Shown;
    const next = headers.get('location') ?? continuationsOf(answers.at(-1) as Shown)[0];
    if (next === undefined) break;
    const kont = /name="kont" value="([^"]*)"/.exec(text)?.[1];
    const fields = new URLSearchParams(kont === undefined ? FIELDS : { ...FIELDS, kont });
    const isPost = text.includes('method="post"');
    const url = isPost || headers.has('location') ? next : `${next}?${fields.toString()}`;
    answers.push(await visitor.get(url, isPost ? { method: 'POST', body: fields } : {}));
  }
  return answers;
}
