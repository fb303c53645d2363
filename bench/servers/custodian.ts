import { type Account, type Host, type Obituary, type RequestRecord, serve, type ServeOptions } from '@custodian/host';
import { givenOptions, serving } from '../support/serving.ts';

/** What a bench may ask of the host under test. */
export interface HostState {
  obituaries: Obituary[];
  recent: RequestRecord[];
  accounts: Record<string, Account>;
  threads: Record<string, number>;
  /** Live resources under the root custodian. */
  owned: number;
}

const host = await serve({ log: false, ...givenOptions<ServeOptions>() });
serving(
  host.port,
  () => host.close(),
  (question) => {
    const [action, name] = question.split(' ');
    if (action === 'reload') return host.reload(name as string);
    return action === 'ready' ? host.ready() : stateOf(host);
  },
);

function stateOf({ ledger, servlets, custodian }: Host): HostState {
  return {
    obituaries: ledger.obituaries,
    recent: [...ledger.recent],
    accounts: Object.fromEntries(ledger.accounts),
    threads: Object.fromEntries(servlets.map((servlet) => [servlet.name, servlet.threads])),
    owned: custodian.managed().length,
  };
}
