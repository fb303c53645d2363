// What do bindings, html and dispatchRules cost a request, next to doing the same by hand? Estimate: bindings as much as URLSearchParams, html 2 us for a table of 20 rows and no more than twice concatenation with an escaping function, dispatchRules 1 us among 20 rules.
import { RequestHead } from '@custodian/protocol';
import { dispatchRules, html, rule, stringArg } from '@custodian/worker';
import { toReply } from '../packages/worker/src/http/reply.ts';
import { ServletRequest } from '../packages/worker/src/http/request.ts';
import { type Answer, type BenchOptions, main } from './support/report.ts';
import { alternate, ratioOf, spreadOf } from './support/rounds.ts';

type Handler = (request: ServletRequest) => unknown;

/** What a servlet does for one request, by the library and by hand. */
interface Pair {
  what: string;
  target: string;
  form?: string;
  library: Handler;
  byHand: Handler;
}

const ROWS = Array.from({ length: 20 }, (_, index) => ({
  id: index,
  name: `Ware ${index} & <co>`,
  price: index * 1.5,
}));
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&#38;',
  '<': '&#60;',
  '>': '&#62;',
  '"': '&#34;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);

const section = (name: string): ReturnType<ReturnType<typeof rule>> =>
  rule(
    [`/${name}/`, ''] as unknown as TemplateStringsArray,
    stringArg,
  )((_request: ServletRequest, id: string) => `${name} ${id}`);
const NAMES = Array.from({ length: 20 }, (_, index) => `section${index}`);
const rules = dispatchRules(...NAMES.map(section));
const PATHS = NAMES.map((name) => [name, new RegExp(`^/${name}/([^/]+)$`)] as const);

const FIELDS = 'name=Ada+Lovelace&mail=ada%40example.org&age=36&note=Tea+%26+bread';
const read = (get: (name: string) => string | null | undefined): string =>
  `${get('name')} ${get('mail')} ${get('age')} ${get('note')}`;

const PAIRS: Pair[] = [
  { what: 'nothing', target: '/x', library: () => 'hello', byHand: () => 'hello' },
  {
    what: 'bindings: 4 fields of a query',
    target: `/x?${FIELDS}`,
    library: ({ bindings }) => read((name) => bindings.get(name)),
    byHand: ({ url }) => {
      const fields = new URLSearchParams(url.slice(url.indexOf('?') + 1));
      return read((name) => fields.get(name));
    },
  },
  {
    what: 'bindings: 4 fields of a form',
    target: '/x',
    form: FIELDS,
    library: ({ bindings }) => read((name) => bindings.get(name)),
    byHand: async (request) => {
      const fields = new URLSearchParams(Buffer.from(await request.bytes()).toString());
      return read((name) => fields.get(name));
    },
  },
  {
    what: 'html: a table of 20 rows, escaped',
    target: '/x',
    library: () =>
      html`<table>
        ${ROWS.map(
          ({ id, name, price }) =>
            html`<tr id="row-${id}">
              <td>${name}</td>
              <td>${price}</td>
            </tr>`,
        )}
      </table>`,
    byHand: () =>
      `<table>${ROWS.map(({ id, name, price }) => `<tr id="row-${id}"><td>${escaped(name)}<td>${price}</tr>`).join('')}</table>`,
  },
  {
    what: 'dispatchRules: the last of 20',
    target: '/section19/tea',
    library: (request) => rules.dispatch(request),
    byHand: ({ path }) => {
      for (const [name, pattern] of PATHS) {
        const id = pattern.exec(path)?.[1];
        if (id !== undefined) return `${name} ${decodeURIComponent(id)}`;
      }
      return { status: 404, body: '' };
    },
  },
];

/** In this process, without sockets: from the bytes of a head to a reply that can be sent. Microseconds a request. */
async function measure({ target, form }: Pair, handler: Handler, seconds: number): Promise<number> {
  const text = `\0${form === undefined ? 'GET' : 'POST'}\n${target}\n::1\n::1\n80\nHost\nbench\nAccept\n*/*`;
  const head = Buffer.from(text, 'latin1');
  const body = form === undefined ? null : Buffer.from(form);
  const until = performance.now() + seconds * 1000;
  const began = process.threadCpuUsage();
  let count = 0;
  while (performance.now() < until) {
    for (let times = 0; times < 200; times++) {
      const request = new ServletRequest(new RequestHead(head, 0, head.length), null);
      if (body !== null) request.setForm(body);
      const result = handler(request);
      await toReply(result instanceof Promise ? await result : result, 'bench');
    }
    count += 200;
  }
  const { user, system } = process.threadCpuUsage(began);
  return (user + system) / count;
}

export async function requests({ rounds, seconds }: BenchOptions): Promise<Answer> {
  const ways = ['library', 'byHand'] as const;
  const rows: Answer['tables'][number]['rows'] = [];
  for (const pair of PAIRS) {
    for (const way of ways) await measure(pair, pair[way], 0.5);
    const samples = await alternate(ways, rounds, (way) => measure(pair, pair[way], seconds / 2));
    rows.push([
      pair.what,
      spreadOf(samples.library),
      spreadOf(samples.byHand),
      ratioOf(samples.library, samples.byHand),
    ]);
  }
  return {
    question: 'what do bindings, html and dispatchRules cost a request, next to doing it by hand?',
    estimate: 'bindings as URLSearchParams; html 2 us and at most twice concatenation; dispatchRules 1 us among 20',
    tables: [{ title: 'cpu us a request, without sockets', columns: ['', 'library', 'by hand', 'ratio'], rows }],
  };
}

await main(import.meta, 'requests', requests);
