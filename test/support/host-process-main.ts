/** The other end of {@link HostProcess}: a host in a process of its own, so that what aborts it hurts no test runner. */
import { type Host, serve, type ServeOptions } from '../../packages/host/src/index.ts';
import type { HostProcessAnswer, HostProcessOrder } from './host-process.ts';

let host: Host | null = null;

function answer(value: HostProcessAnswer): void {
  process.send?.(value);
}

async function onOrder(order: HostProcessOrder): Promise<HostProcessAnswer> {
  switch (order.type) {
    case 'serve':
      host = await serve(order.options as ServeOptions);
      await host.ready();
      return { port: host.port };
    case 'obituaries':
      return { obituaries: [...(host?.ledger.obituaries ?? [])] };
    case 'servlets':
      return { servlets: [...(host?.servlets ?? [])] };
    case 'kill-cell':
      await host?.killCell(order.pid);
      return {};
    case 'collect':
      (globalThis as { gc?: () => void }).gc?.();
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
