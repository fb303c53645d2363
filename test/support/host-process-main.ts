/** The other end of {@link HostProcess}: a host in a process of its own, so that what aborts it hurts no test runner. */
import { writeFileSync } from 'node:fs';
import { Custodian, type Host, serve, type ServeOptions } from '../../packages/host/src/index.ts';
import type { HostProcessAnswer, HostProcessOrder } from './host-process.ts';

let host: Host | null = null;

/** Cells of the servlets that were loaded at the start. */
const kept = new Set<Custodian>();

/** Cells that are no spare ones. */
function leasedCells(): Custodian[] {
  return (host?.custodian.managed() ?? []).filter(
    (member): member is Custodian =>
      member instanceof Custodian &&
      member.label.startsWith('cell ') &&
      member.managed().some(({ label }) => label.startsWith('lease ')),
  );
}

function answer(value: HostProcessAnswer): void {
  process.send?.(value);
}

async function onOrder(order: HostProcessOrder): Promise<HostProcessAnswer> {
  switch (order.type) {
    case 'serve':
      host = await serve(order.options as ServeOptions);
      await host.ready();
      for (const cell of leasedCells()) kept.add(cell);
      return { port: host.port };
    case 'obituaries':
      return { obituaries: [...(host?.ledger.obituaries ?? [])] };
    case 'servlets':
      return { servlets: [...(host?.servlets ?? [])] };
    case 'deaths': {
      const deaths = host?.ledger.accounts.get(order.servlet)?.deaths ?? {};
      return { deaths: Object.values(deaths).reduce((sum, count) => sum + count, 0) };
    }
    case 'retire':
      await Promise.all(leasedCells().flatMap((cell) => (kept.has(cell) ? [] : [cell.shutdownAll()])));
      return {};
    case 'forget-peak':
      // Linux counts the peak of the resident set anew (proc(5), clear_refs).
      writeFileSync('/proc/self/clear_refs', '5');
      return {};
    case 'collect':
      // Once for what is unreachable, and to give pages back that the heap keeps for more of the same: what is left is held by something.
      (globalThis as unknown as { gc: (options: object) => void }).gc({
        type: 'major',
        execution: 'sync',
        flavor: 'last-resort',
      });
      return { held: host?.custodian.describe() ?? [] };
    case 'close':
      await host?.close();
      return { held: host?.custodian.describe() ?? [] };
  }
}

process.on('message', (order: HostProcessOrder) => {
  onOrder(order).then(answer, (error: unknown) => answer({ error: String(error) }));
});
process.on('disconnect', () => process.exit(0));
