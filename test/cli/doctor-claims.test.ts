import { glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { PROBES } from '../../packages/host/src/doctor/probes.ts';

const SRC = fileURLToPath(new URL('../../packages/host/src/', import.meta.url));

/** What stands in the host's source, outside doctor, when it uses a wall. */
const EVIDENCE: Record<string, RegExp> = {
  'process-group kill': /process\.kill\(-/,
  'permission model': /'--permission'/,
  'RSS sampling from /proc': /\/proc\/\$\{.*\}\/statm/,
  'jail: RLIMIT_DATA by prlimit': /['"`]prlimit['"`]/,
  'jail: cgroup v2': /cgroup\.procs/,
  'jail: namespaces by bubblewrap': /['"`]bwrap['"`]/,
  'jail: a user for each cell': /--reuid/,
  'namespaces by unshare': /['"`]unshare['"`]/,
  'jail: seccomp': /--seccomp/,
};

test('doctor claims a wall exactly when the host uses it', async () => {
  let source = '';
  for await (const file of glob('**/*.ts', { cwd: SRC })) {
    if (!file.startsWith('doctor')) source += await readFile(SRC + file, 'utf8');
  }
  for (const [name, evidence] of Object.entries(EVIDENCE)) {
    const probe = PROBES.find((each) => each.name === name);
    expect((probe?.profiles.length ?? 0) > 0, name).toBe(evidence.test(source));
  }
});

test('SECURITY.md has the table of walls and profiles as doctor has it', async () => {
  const page = await readFile(new URL('../../SECURITY.md', import.meta.url), 'utf8');
  const rows = PROBES.filter(({ profiles }) => profiles.length > 0).map(({ name, stops, profiles }) => {
    const marks = (['trusted', 'guest', 'jail'] as const).map((profile) => (profiles.includes(profile) ? 'yes' : ''));
    return `| ${name} | ${stops} | ${marks.join(' | ')} |`.replaceAll('|  |', '| |').replaceAll('|  |', '| |');
  });
  for (const row of rows) expect(page).toContain(row);
});
