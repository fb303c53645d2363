import { expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';
import { type Shown, Visitor } from '../support/visitor.ts';

const VISITS = 300;
const THREADS = 3;
const AT_ONCE = 6;

/** Tells each visitor who he is, and what he has said so far. */
const DIARY = `
  import { html, sendFinish, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  export default async function start(request) {
    const diary = { of: request.query.get('who'), days: [] };
    for (;;) {
      const { bindings } = await sendSuspend((url) => html\`<a href="\${url}">\${diary.of}: \${diary.days.join('+')}.</a>\`);
      if (bindings.has('end')) return sendFinish(diary.of + ' ends with ' + diary.days.join('+'));
      diary.days.push(bindings.get('day'));
    }
  }`;

test(`${VISITS} visits with a thread each, of which there are ${THREADS}: every one of them goes on from its own page`, async () => {
  await using started = await StartedHost.start(
    { diary: DIARY },
    { unit: 'instance', limits: { threadsMaxCount: THREADS, queueTimeoutMs: 120_000 } },
  );
  const visitor = new Visitor(started.url);
  let mostThreads = 0;
  const pages: Shown[] = [];
  const forEach = async (run: (visit: number) => Promise<void>): Promise<void> => {
    let next = 0;
    const one = async (): Promise<void> => {
      for (let visit = next++; visit < VISITS; visit = next++) {
        await run(visit);
        mostThreads = Math.max(mostThreads, started.host.servlets[0]!.threads);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  };
  await forEach(async (visit) => void (pages[visit] = await visitor.get(`/diary?who=${visit}`)));
  await forEach(async (visit) => {
    pages[visit] = await visitor.follow(pages[visit]!, { day: `${visit}a` });
    expect(pages[visit]!.text).toContain(`${visit}: ${visit}a.`);
  });
  await forEach(async (visit) => {
    const end = await visitor.follow(pages[visit]!, { end: '1' });
    expect(end.text).toBe(`${visit} ends with ${visit}a`);
  });
  expect(mostThreads).toBeLessThanOrEqual(THREADS);
});
