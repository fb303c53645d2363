import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DatabaseServer, postgresMissing, redisMissing } from '../../support/database-server.ts';
import { StartedHost } from '../../support/started-host.ts';
import { type Shown, Visitor } from '../../support/visitor.ts';

/** Each answer adds to what all pages of the visit share, tells it, and waits where its visitor wants it to. */
const NOTES = `
  import { html, sendFinish, sendSuspend } from '@custodian/worker';
  export const checkpoint = true;
  export default async function start() {
    const notes = [];
    for (;;) {
      const { bindings } = await sendSuspend((url) => html\`<a href="\${url}">on</a> notes:\${notes.join('+')}.\`);
      if (bindings.get('end')) return sendFinish('the end: ' + notes.join('+'));
      if (bindings.get('look')) return \`notes:\${notes.join('+')}.\`;
      notes.push(bindings.get('note'));
      if (bindings.get('open')) await withPromise(notes);
      if (bindings.get('wait')) await new Promise((resolve) => setTimeout(resolve, Number(bindings.get('wait'))));
    }
  }`;

/** Shows a page that can't be saved. */
const PROMISE = `
  async function withPromise(notes) {
    const open = Promise.resolve(1);
    await sendSuspend((url) => html\`<a href="\${url}">on</a> notes:\${notes.join('+')}.\`);
    await open;
  }`;

const notesOf = ({ text }: Shown): string => /notes:([^.]*)\./.exec(text)?.[1] ?? text;

const root = mkdtempSync(join(tmpdir(), 'custodian-two-hosts-'));
afterAll(() => rmSync(root, { recursive: true }));

const KINDS = [
  { name: 'Redis', missing: redisMissing(), start: () => DatabaseServer.redis() },
  { name: 'PostgreSQL', missing: postgresMissing(), start: () => DatabaseServer.postgres() },
];

for (const { name, missing, start } of KINDS) {
  if (missing !== null) console.warn(`test/host/checkpoint: ${name} is skipped: ${missing}`);
  describe.skipIf(missing !== null)(`two hosts with one ring and one store, which is ${name},`, () => {
    let database: DatabaseServer;
    const hosts: StartedHost[] = [];
    const visitors: Visitor[] = [];
    beforeAll(async () => {
      database = await start();
      for (let host = 0; host < 2; host++) {
        const options = {
          store: database.url,
          stateDir: join(root, `${name}-${host}`),
          keyFile: join(root, 'keys'),
        };
        const started = await StartedHost.start({ notes: NOTES + PROMISE }, options, { notes: { isEager: true } });
        hosts.push(started);
        await started.host.ready();
        visitors.push(new Visitor(hosts[host]!.url));
      }
    }, 60_000);
    afterAll(async () => {
      await Promise.all(hosts.map((host) => host.close()));
      for (const host of hosts) await host[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
    });
    const at = (host: number, page: Shown, fields: Record<string, string>): Promise<Shown> =>
      visitors[host]!.follow(page, fields);

    test('take turns with a visit: each goes on from what the other has shown, though it has the instance itself', async () => {
      let page = await visitors[0]!.get('/notes');
      let expected = '';
      for (const [turn, host] of [0, 1, 0, 1, 1, 0].entries()) {
        page = await at(host, page, { note: `${turn}` });
        expected += `${expected === '' ? '' : '+'}${turn}`;
        expect(notesOf(page)).toBe(expected);
      }
    });

    test('answer a page that is older than the other’s last answer on what that has left, whatever they had themselves', async () => {
      const first = await visitors[0]!.get('/notes');
      const second = await at(0, first, { note: 'a' });
      expect(notesOf(await at(1, second, { note: 'b' }))).toBe('a+b');
      // The page is here, with the heap of before. It changes nothing, and what it shows is the visit as it is.
      expect(notesOf(await at(0, second, { look: '1' }))).toBe('a+b');
      expect(notesOf(await at(0, second, { note: 'c' }))).toBe('a+b+c');
      expect(notesOf(await at(1, second, { look: '1' }))).toBe('a+b+c');
      expect(notesOf(await at(1, first, { note: 'd' }))).toBe('a+b+c+d');
    });

    test('do not overwrite each other’s answers: who has begun on what is older by now says so, and shows nothing of it', async () => {
      const page = await at(0, await visitors[0]!.get('/notes'), { note: 'a' });
      await at(1, page, { look: '1' });
      const slow = at(0, page, { note: 'slow', wait: '400' });
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(notesOf(await at(1, page, { note: 'b' }))).toBe('a+b');
      const refused = await slow;
      expect(refused.status).toBe(409);
      expect(refused.text).toContain('STORE_CONFLICT');
      expect(refused.text).not.toContain('slow');
      // Sent again, it finds the visit as it is.
      expect(notesOf(await at(0, page, { note: 'c' }))).toBe('a+b+c');
    });

    test('that make an instance again at the same time keep one of both answers, and the visit is what that was', async () => {
      const page = await visitors[0]!.get('/notes');
      expect(notesOf(await at(0, page, { note: 'a' }))).toBe('a');
      const answers = await Promise.all([0, 1].map((host) => at(host, page, { note: `${host}`, wait: '300' })));
      const kept = answers.filter(({ status }) => status === 200);
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
      for (const host of [0, 1, 0]) {
        const shown = await at(host, kept[0]!, { note: 'z' });
        expect(notesOf(shown).startsWith(notesOf(kept[0]!))).toBe(true);
      }
    });

    test('lose what could not be saved, and nothing else, when a visit goes on at the other one', async () => {
      const first = await visitors[0]!.get('/notes');
      const open = await at(0, first, { note: 'a', open: '1' });
      // Here it is, in its thread.
      expect(notesOf(await at(0, open, { look: '1' }))).toBe('a');
      const lost = await at(1, open, { look: '1' });
      expect(lost.status).toBe(410);
      expect(lost.text).toContain('This page could not be kept');
      expect(notesOf(await at(1, first, { note: 'b' }))).toBe('a+b');
      expect((await at(0, open, { look: '1' })).status).toBe(410);
    });

    test('do not bring back a visit that the other one has ended', async () => {
      const first = await visitors[0]!.get('/notes');
      const second = await at(0, first, { note: 'a' });
      expect((await at(1, second, { end: '1' })).text).toBe('the end: a');
      for (const fields of [{ look: '1' }, { note: 'c' }])
        for (const host of [0, 1])
          for (const page of [first, second]) expect((await at(host, page, fields)).status).toBe(410);
    });

    test('when the store is emptied go on where a visit began, from what is there, and at no other host', async () => {
      const here = await at(0, await visitors[0]!.get('/notes'), { note: 'a' });
      const moved = await at(1, await at(0, await visitors[0]!.get('/notes'), { note: 'b' }), { note: 'c' });
      await database.empty();
      expect((await at(1, here, { note: 'd' })).status).toBe(410);
      expect(notesOf(await at(0, here, { note: 'd' }))).toBe('a+d');
      expect(notesOf(await at(1, here, { note: 'e' }))).toBe('a+d+e');
      // Of one that had gone on elsewhere, that host has more than it may know to be the last.
      expect((await at(1, moved, { note: 'f' })).status).toBe(410);
    });
  });
}
