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
