import type { Failure, Usage } from '@custodian/protocol';
import type { Exchange } from '../http/exchange.ts';
import type { MemoryBudget } from '../memory-budget.ts';
import type { Services } from '../service/service.ts';
import type { Uploads } from '../upload/uploads.ts';
import type { VersionKeeper } from '../version/version-keeper.ts';
import type { Obituary } from './obituary.ts';
import type { Watchdog } from './watchdog.ts';

/** What a servlet's pool needs from its host. */
export interface PoolSite {
  watchdog: Watchdog;
  budget: Pick<MemoryBudget, 'reserve' | 'release'>;
  /** What its threads may ask for. */
  services: Services;
  /** Where multipart forms are read. */
  uploads: Uploads;
  versions: VersionKeeper;
  isDevelopment: boolean;
  /** Its threads have used so much more CPU time, in ms. */
  onCpu(ms: number): void;
  onCharge(exchange: Exchange, usage: Usage, peakBytes: number): void;
  /** It threw. The failure gets an id if the log has it. */
  onFailure(failure: Failure): void;
  /** `failure`: what it threw, if it did; it gets an id if the log has it. */
  onDeath(obituary: Obituary, failure: Failure | null): void;
  onLog(level: number, text: string): void;
}
