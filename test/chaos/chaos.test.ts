import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { childProcesses, descriptorsOf } from '../support/process-tree.ts';
import { StartedHost } from '../support/started-host.ts';
import { Chaos } from './chaos.ts';
import { SERVLETS } from './servlets.ts';

/** One minute, or as long as `CHAOS_SECONDS` says: `npm run test:chaos` takes ten. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 60);
/** 32 channels, the control channel, and its errors. */
const CELL_DESCRIPTORS = 34;
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1e9);

test(
  `nothing hangs, nothing acknowledged is lost, and all comes back (seed ${SEED})`,
  async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'custodian-chaos-'));
    const started = await StartedHost.withReserves(
      SERVLETS,
      {
        stateDir,
        // The deadlines are short, so that many are met.
        limits: {
          heapMb: 60,
          cpuMs: 800,
          wallMs: 3000,
          queueTimeoutMs: 6000,
          bodyTimeoutMs: 2000,
          sendTimeoutMs: 2000,
        },
      },
      { bad: { cell: 'servlet' } },
    );
    let chaos: Chaos;
    try {
      await started.warm('/sum', '/saved', '/clock');
      const cells = (): number =>
        childProcesses(process.pid).filter(({ command }) => command.includes('cell/main')).length;
      // A cell's channels are the host's as well, and how many cells there are just now is chance.
      const otherDescriptors = (): number => descriptorsOf(process.pid).length - cells() * CELL_DESCRIPTORS;
      const before = otherDescriptors();
      chaos = new Chaos(started, SEED);
      await chaos.run(SECONDS * 1000);
      console.log(`chaos, seed ${SEED}: ${JSON.stringify(chaos.counts)}`);
      expect(chaos.violations).toEqual([]);
      // All of it did happen.
      for (const what of ['right sums', 'right sums of saved pages', 'entries acknowledged', 'echoes', 'ticks'])
        expect(chaos.counts[what], what).toBeGreaterThan(SECONDS / 10);
      expect(chaos.counts['cells killed']).toBeGreaterThan(SECONDS / 20);
      // Which wall an attack runs into first is a matter of how busy the machine is.
      const causes = Object.keys(started.host.ledger.accounts.get('bad')?.deaths ?? {});
      expect(causes.length, causes.join()).toBeGreaterThanOrEqual(3);
      await eventually(otherDescriptors, (count) => count <= before + 20, {
        ms: 20_000,
        what: `the number of descriptors, which was ${before},`,
      });
    } finally {
      await started[Symbol.asyncDispose]();
    }
    expect(readdirSync(join(stateDir, 'temp'))).toEqual([]);
    rmSync(stateDir, { recursive: true });
  },
  SECONDS * 1000 + 120_000,
);
