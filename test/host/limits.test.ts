import { readFileSync } from 'node:fs';
import { Server } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { DEFAULT_LIMITS, LIMITS, serve } from '../../packages/host/src/index.ts';
import { resolveLimits } from '../../packages/host/src/limits.ts';
import { StartedHost } from '../support/started-host.ts';

const UNITS = /(?:Ms|Mb|Bytes|MaxCount|BytesPerSecond)$/;

describe('LIMITS', () => {
  it('LIMITS has the unit of each in its name, and a code that the docs explain', () => {
    const docs = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    for (const [name, limit] of Object.entries(LIMITS)) {
      expect(name).toMatch(UNITS);
      expect(docs).toContain(`### ${limit.code}\n`);
    }
  });

  it('resolveLimits() lays the given ones over the defaults', () => {
    expect(resolveLimits(undefined)).toEqual(DEFAULT_LIMITS);
    expect(resolveLimits({ heapMb: 10 }, resolveLimits({ heapMb: 20, cpuMs: 30 }))).toMatchObject({
      heapMb: 10,
      cpuMs: 30,
    });
  });

  it('resolveLimits() refuses names and values that are none', () => {
    expect(() => resolveLimits({ heapMB: 1 } as never)).toThrow('there is none of that name');
    for (const value of [-1, Number.NaN, '50' as never])
      expect(() => resolveLimits({ heapMb: value })).toThrow(RangeError);
  });

  it('a limit of Infinity is none: a servlet works that has no limit at all', async () => {
    const works = `
      import { writeFileSync } from 'node:fs';
      import { tmpdir } from 'node:os';
      export default async (request) => {
        for (const end = Date.now() + 100; Date.now() < end;);
        writeFileSync(tmpdir() + '/x', 'written');
        return 'it got ' + (await request.bytes()).length;
      };`;
    const limits = Object.fromEntries(Object.keys(LIMITS).map((name) => [name, Infinity]));
    await using started = await StartedHost.start({ works }, { limits, admin: true });
    expect(await (await fetch(`${started.url}/works`, { method: 'POST', body: 'four' })).text()).toBe('it got 4');
    // The operator's page reads them as JSON.
    const told = JSON.parse(JSON.stringify(started.host.servlets[0]?.limits)) as Record<string, unknown>;
    for (const name of ['heapMb', 'cpuMs', 'wallMs']) expect([name, typeof told[name]]).toEqual([name, 'number']);
  });

  it('backlogMaxCount is how many connections the kernel lets wait', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen');
    try {
      await using host = await serve({ limits: { backlogMaxCount: 7 } });
      expect(listen).toHaveBeenCalledWith(expect.objectContaining({ backlog: 7 }), expect.anything());
      expect((await fetch(`${host.url}/nobody`)).status).toBe(404);
    } finally {
      listen.mockRestore();
    }
  });

  it('a servlet’s own limits tighten the operator’s, and never widen them', async () => {
    await using started = await StartedHost.start(
      {
        tight: `export const limits = { wallMs: 300 }; export default () => new Promise(() => {});`,
        wide: `export const limits = { wallMs: 60_000 }; export default () => new Promise(() => {});`,
      },
      { limits: { wallMs: 700 } },
    );
    const times = await Promise.all(
      ['tight', 'wide'].map(async (name) => {
        const page = await (await fetch(`${started.url}/${name}`)).text();
        return /its limit is (\d+) ms/.exec(page)?.[1];
      }),
    );
    expect(times).toEqual(['300', '700']);
    expect(started.host.servlets.map(({ limits }) => limits.wallMs)).toEqual([300, 700]);
  });
});
