import { type FrameWriter, ToHost, writeHoldings } from '@custodian/protocol';
import type { ContinuationManager } from './manager/manager.ts';

const REPORT_EVERY_MS = 100;

/** What the thread's servlet keeps its continuations with, once that is known. */
let reported: ContinuationManager | null = null;

/** Tells the acceptor, which has asked, the instances that the thread holds. */
export function tellHoldings(writer: FrameWriter): void {
  const holdings = reported?.describe?.() ?? { instances: 0, newest: [] };
  writer.frame(ToHost.Holdings, 0, writeHoldings(holdings));
}

/**
 * Tells the acceptor what the thread holds: at once when it begins or ceases to hold anything, since that decides
 * where requests go and whether the thread may end; else now and then. `unsavedCount`: how much of it nobody else has.
 * @returns to be called when that has changed
 */
export function reportHolding(
  manager: ContinuationManager,
  writer: FrameWriter,
  unsavedCount: () => number = () => manager.count,
): () => void {
  let told = 0;
  let toldUnsaved = 0;
  let timer: NodeJS.Timeout | null = null;
  const tell = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    told = manager.count;
    toldUnsaved = unsavedCount();
    const payload = Buffer.allocUnsafe(12);
    payload.writeUInt32BE(Math.min(0xffffffff, told), 0);
    payload.writeUInt32BE(Math.min(0xffffffff, Math.round(manager.bytes)), 4);
    payload.writeUInt32BE(Math.min(0xffffffff, toldUnsaved), 8);
    writer.frame(ToHost.Holding, 0, payload);
  };
  const changed = (): void => {
    if ((told === 0) !== (manager.count === 0) || (toldUnsaved === 0) !== (unsavedCount() === 0)) tell();
    else timer ??= setTimeout(tell, REPORT_EVERY_MS).unref();
  };
  manager.onChange = changed;
  reported = manager;
  return changed;
}
