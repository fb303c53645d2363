/** What servlets do with the library and with what the host does for them, but for flows of pages. */
import * as library from '@custodian/worker';
import type { Work } from './work.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const key = 'k'.repeat(32);
const box = library.fileBox<number[]>('crawl', [0]);
const page = library.template<{ title: string; names: string[] }>('crawl.html');
const letter = library.textTemplate<{ title: string }>('crawl.txt');
const digest = library.createDigestAuth({ realm: 'crawl', key, passwordOf: () => 'secret' });
const rules = library.dispatchRules(
  library.rule`/${library.stringArg}/${library.restArg(library.stringArg)}`(
    (_request, first, rest) => first + rest.join(),
  ),
  library.rule`/${library.stringArg}`(named),
  library.otherwise(() => 'lost'),
);

function named(_request: library.ServletRequest, name: string): string {
  return rules.url(named, name);
}

async function* rows(): AsyncGenerator<library.Html> {
  for (let row = 0; row < 3; row++) {
    await sleep(2);
    yield library.html`<li>${row}</li>`;
  }
}

/** By the names that requests ask for it with. */
export const LIBRARY_WORK: Record<string, Work> = {
  page: () => library.html`<!doctype html><title>${'x'}</title>`,
  pending: () => library.html`<p>${sleep(5).then(() => 'late')}</p><ul>${rows()}</ul>`,
  template: () => page({ title: letter({ title: 'x' }), names: ['a', 'b'] }),
  markup: () => ['p', { class: 'x' }, ...library.toXexpr(library.html`<b>${library.raw('&amp;')}</b>`)],
  cookies: (request) => {
    const cookie = library.createIdCookie('id', 'ada', { key });
    library.requestIdCookie(request, 'id', { key });
    const theme = library.createCookie('theme', request.cookies.get('theme') ?? 'light');
    return library.setCookie('cookies', cookie, theme, library.logoutIdCookie('old'));
  },
  who: async (request) => {
    library.basicCredentials(request);
    const outcome = await digest.check(request);
    return outcome.user ?? 'nobody';
  },
  rules: (request) => rules.dispatch(request),
  passes: () => library.nextDispatcher(),
  events: () => library.eventStream(told()),
  written: () => ({
    body: async (writer: library.BodyWriter) => {
      for (let piece = 0; piece < 20; piece++) await writer.write('x'.repeat(20_000));
    },
  }),
  answers: () => library.json({ a: [1] }, { status: 200 }),
  fields: ({ bindings }) => bindings.single('a') + bindings.getAll('b').join(),
  upload: async ({ bindings }) => {
    const sizes: number[] = [];
    for (const file of bindings.files('file')) {
      sizes.push((await file.bytes()).length, (await file.toFile()).size);
      for await (const piece of file.stream()) sizes.push(piece.length);
      const reader = file.stream().getReader();
      await reader.read();
      await reader.cancel();
    }
    return sizes.join();
  },
  box: async () => {
    await box.set([1]);
    await box.update((numbers) => [...numbers, numbers.length]);
    return `${await box.has()} ${String(await box.get())}`;
  },
  account: async () => String((await library.account()).servlet.requests >= 0),
  stuffers: async () => {
    const stuffer = library.stufferSequence(
      library.stufferSequence(library.gzipStuffer, library.hmacStuffer(Buffer.from(key))),
      library.hashStuffer(library.hostStore()),
    );
    const stuffed = stuffer.in(Buffer.alloc(100));
    return String((await stuffer.out(stuffed)).length);
  },
  fails: async () => {
    const load = (name: string): Promise<unknown> => import(name).catch(() => {});
    await load('./crawl-absent.ts');
    await library.fileBox('crawl-empty').get();
  },
  late: async () => ((await import(`./${'late'}.ts`)) as { text: string }).text,
};

async function* told(): AsyncGenerator<library.ServerEvent> {
  yield { data: 'at once' };
  await sleep(5);
  yield { data: 'later', id: '1' };
}
