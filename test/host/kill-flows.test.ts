import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';
import { type Shown, Visitor } from '../support/visitor.ts';

/**
 * A sum of three numbers that counts its steps: an answer that arrives, a page that is made, each piece of a page that
 * is streamed. At the n-th its thread or its process ends. What an answer does it writes down first.
 */
const SUM = `
  import { appendFileSync } from 'node:fs';
  import { html, sendFinish, sendSuspend } from '@custodian/worker';
  let steps = 0, fatal = Infinity, way = 'exit', log = '';
  function step() {
    if (++steps < fatal) return;
    if (way === 'exit') process.exit(1);
    process.kill(process.pid, 'SIGKILL');
    for (;;);
  }
  const page = (content) => ({ body: (async function* () {
    for (const piece of ['<p>', content, '</p>']) { step(); yield piece; await new Promise((resolve) => setImmediate(resolve)); }
  })() });
  async function ask(sum) {
    const request = await sendSuspend((url) => { step(); return page(html\`so far \${sum} <a href="\${url}">on</a>\`); });
    step();
    appendFileSync(log, request.bindings.get('id') + '\\n');
    return Number(request.bindings.get('n'));
  }
  export default async function start(request) {
    const { query } = request;
    if (query.has('arm')) { fatal = steps + Number(query.get('arm')); way = query.get('way'); }
    log = query.get('log');
    step();
    let sum = 0;
    for (let i = 0; i < 3; i++) sum += await ask(sum);
    return sendFinish(page(html\`sum \${sum}\`));
  }`;

/** Start, page and 3 pieces; then for each of three answers its arrival, page and pieces; the last page is not made apart. */
const STEPS_PER_FLOW = 19;

const textOf = ({ text }: Shown): string => /<p>(so far \d+|sum \d+)/.exec(text)?.[1] ?? text;

describe.each([
  { unit: 'connection' as const, way: 'exit' },
  { unit: 'connection' as const, way: 'kill' },
  { unit: 'instance' as const, way: 'exit' },
  { unit: 'instance' as const, way: 'kill' },
  { unit: 'servlet' as const, way: 'exit' },
  { unit: 'servlet' as const, way: 'kill' },
])('flows with unit $unit whose end is $way', ({ unit, way }) => {
  let started: StartedHost;
  let directory: string;
  let log: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'custodian-kill-'));
    log = join(directory, 'log');
    writeFileSync(log, '');
    started = await StartedHost.start({ sum: SUM }, { unit, profile: 'trusted', limits: { threadsMaxCount: 6 } });
    await started.host.ready();
  });
  afterAll(async () => {
    await started[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  let count = 0;
  /** Goes through a flow, by GET and POST in turn, until a page is none. What it has seen: `right`, a status, or `cut`. */
  async function flow(numbers: readonly number[], arming = ''): Promise<string[]> {
    const visitor = new Visitor(started.url);
    const seen: string[] = [];
    let sum = 0;
    let page: Shown | null = null;
    for (const number of [0, ...numbers]) {
      sum += number;
      const fields = { n: String(number), id: `${++count}` };
      const asked: Promise<Shown> =
        page === null
          ? visitor.get(`/sum?log=${log}${arming}`)
          : count % 2 === 0
            ? visitor.post(page, fields)
            : visitor.follow(page, fields);
      page = await asked.catch(() => null);
      if (page === null) return [...seen, 'cut'];
      if (page.status !== 200) return [...seen, String(page.status)];
      const isRight = [`so far ${sum}`, `sum ${sum}`].includes(textOf(page));
      seen.push(isRight ? 'right' : `wrong: ${page.text}`);
    }
    return seen;
  }

  const steps = way === 'exit' ? Array.from({ length: STEPS_PER_FLOW }, (_, index) => index + 1) : [1, 4, 6, 10, 19];
  test.each(steps)('a death at step %i never gives a wrong page, and no answer is taken twice', async (n) => {
    const { obituaries } = started.host.ledger;
    const before = obituaries.length;
    const flows = await Promise.all([
      flow([1, 10, 100], `&arm=${n}&way=${way}`),
      ...[2, 3, 4].map((k) => flow([k, k * 10, k * 100])),
    ]);
    for (const seen of flows.flat()) expect(['right', 'cut', '410', '500', '503']).toContain(seen);
    await eventually(
      () => obituaries.slice(before).map(({ cause }) => cause),
      (causes) => causes.includes(way === 'exit' ? 'crash' : 'abort'),
    );
    const ids = readFileSync(log, 'utf8').split('\n').filter(Boolean);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await flow([5, 6, 7])).toEqual(['right', 'right', 'right', 'right']);
  });

  test('nothing is left of the flows that ended', async () => {
    await eventually(
      () => started.host.servlets[0],
      (sum) => sum?.queued === 0,
    );
    const causes = new Set(started.host.ledger.obituaries.map(({ cause }) => cause));
    for (const cause of causes) expect(['crash', 'abort', 'drain', 'idle']).toContain(cause);
  });
});
