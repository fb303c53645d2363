import { expect, it } from 'vitest';
import { HostProcess } from '../support/host-process.ts';
import { DOWN, streamDown, streamUp, UP } from '../support/large-streams.ts';
import { residentBytes } from '../support/process-tree.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';

const MB = 1 << 20;
const LARGE_MB = 1024;

it.each([
  ['down', streamDown],
  ['up', streamUp],
])('1 GB goes %s through a servlet with a cap of 50 MB, and the acceptor stays small', async (_name, stream) => {
  using directory = new ServletDirectory({ down: DOWN, up: UP });
  await using host = await HostProcess.start(process.execPath, {
    servlets: directory.path,
    limits: { heapMb: 50, bodyMaxBytes: 2 ** 31, cpuMs: 120_000 },
  });
  await stream(host.port, 1);
  await host.ask({ type: 'forget-peak' });
  const atFirst = residentBytes(host.pid).now;
  expect(await stream(host.port, LARGE_MB)).toBe(LARGE_MB * MB);
  expect(await host.obituaries()).toEqual([]);
  // V8 lets up to 64 MB of buffers that were read into become garbage before it collects them.
  expect((residentBytes(host.pid).peak - atFirst) / MB).toBeLessThan(96);
});

it('a file of 1 GB goes through a servlet with a cap of 50 MB, and the acceptor stays small', async () => {
  using directory = new ServletDirectory({
    count: `
      export default async (request) => {
        let bytes = 0;
        for (const file of request.bindings.files()) for await (const piece of file.stream()) bytes += piece.length;
        return String(bytes);
      };`,
  });
  await using host = await HostProcess.start(process.execPath, {
    servlets: directory.path,
    limits: { heapMb: 50, formFileMaxBytes: 2 ** 31, cpuMs: 120_000, wallMs: 120_000 },
  });
  const send = async (mb: number): Promise<string> => {
    const body = new FormData();
    body.append('f', new Blob(Array.from({ length: mb }, () => new Uint8Array(MB))), 'f');
    return (await fetch(`http://127.0.0.1:${host.port}/count`, { method: 'POST', body })).text();
  };
  await send(1);
  await host.ask({ type: 'forget-peak' });
  const atFirst = residentBytes(host.pid).now;
  expect(await send(LARGE_MB)).toBe(`${LARGE_MB * MB}`);
  expect(await host.obituaries()).toEqual([]);
  expect((residentBytes(host.pid).peak - atFirst) / MB).toBeLessThan(96);
});
