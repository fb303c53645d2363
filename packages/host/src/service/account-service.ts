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
    const { requests, failures, cpuMs, wallMs, bytesIn, bytesOut, peakBytes, kills } = this.#ledger.account(
      servlet.name,
    );
    return { head: { requests, failures, cpuMs, wallMs, bytesIn, bytesOut, peakBytes, deaths: kills } };
  }
}
