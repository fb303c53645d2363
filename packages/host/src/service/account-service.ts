import type { Ledger } from '../cell/ledger.ts';
import type { Answer, Ask, Service } from './service.ts';

/** Tells a servlet its own account, and no other's. */
export class AccountService implements Service {
  readonly name = 'account';
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  answer({ servlet }: Ask): Answer {
    const {
      kills,
      durationCounts: _counts,
      deaths: _deaths,
      totalMs: _total,
      ...account
    } = this.#ledger.account(servlet.name);
    return { head: { ...account, deaths: kills } };
  }
}
