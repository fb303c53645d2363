/**
 * Run by the kernel of a `LinuxGuest`, as the only process of a delegated group: a host with jailed servlets, whose groups the kernel
 * bounds. It tells facts, a line each. `killed`: it ends by a kill, with its cells; otherwise it closes as soon as it has started.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '../../packages/host/src/index.ts';

const GROUPS = '/sys/fs/cgroup/service';
const MB = 1 << 20;
/** It is one processor without a cache of its own, of which a cell gets half. */
const PATIENCE_MS = 600_000;

const tell = (fact: object): void => console.log(JSON.stringify(fact));
const groups = (): string[] =>
  readdirSync(GROUPS, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
const read = (group: string, file: string): string => readFileSync(join(GROUPS, group, file), 'utf8').trim();

const directory = mkdtempSync(join(tmpdir(), 'servlets-'));
writeFileSync(join(directory, 'calm.mjs'), `export default () => 'calm';`);
writeFileSync(
  join(directory, 'large.mjs'),
  `const hoard = [];
  export default (request) => {
    if (request.query.has('mb')) hoard.push(Buffer.alloc(Number(request.query.get('mb')) << 20, 1));
    return String(hoard.length);
  };`,
);
execFileSync('chmod', ['-R', 'o+rX', directory]);

const host = await serve({
  servlets: ['calm', 'large'].map((name) => ({
    file: join(directory, `${name}.mjs`),
    profile: 'jail' as const,
    cell: 'servlet' as const,
    spareThreads: 0,
  })),
  port: 0,
  log: false,
  stateDir: join(tmpdir(), 'state'),
  limits: {
    heapMb: 50,
    loadCpuMs: PATIENCE_MS,
    loadTimeoutMs: PATIENCE_MS,
    queueTimeoutMs: PATIENCE_MS,
    cpuMs: PATIENCE_MS,
    wallMs: PATIENCE_MS,
  },
});
tell({ own: [`custodian-${process.pid}-host`], groupsAtStart: groups() });
if (process.argv[2] !== 'killed') {
  await host.close();
  tell({ groupsAtEnd: groups() });
  process.exit();
}

const visit = async (path: string): Promise<{ status: number; text: string }> => {
  const response = await fetch(`${host.url}${path}`);
  return { status: response.status, text: await response.text() };
};

tell({ calm: await visit('/calm') });
const calm = groups();
tell({ large: await visit('/large') });
const [large = ''] = groups().filter((name) => !calm.includes(name));
tell({
  processes: read(large, 'cgroup.procs').split('\n').length,
  pids: read(large, 'pids.max'),
  memoryMb: Number(read(large, 'memory.max')) / MB,
  cpu: read(large, 'cpu.max'),
  isWhole: read(large, 'memory.oom.group'),
});
// The sampler would be there first in a kernel that is so slow: what is left to the cell is less than its cap now.
writeFileSync(join(GROUPS, large, 'memory.max'), String(Number(read(large, 'memory.current')) + 6 * MB));
tell({ beyond: await visit('/large?mb=30') });
tell({
  obituaries: host.ledger.obituaries.map(({ servlet, cause, limit, request }) => ({ servlet, cause, limit, request })),
});
tell({ calmAfter: await visit('/calm'), largeAfter: await visit('/large'), isGone: !groups().includes(large) });
process.kill(process.pid, 'SIGKILL');
