import { type FrameWriter, ToHost } from '@custodian/protocol';
import type { ContinuationManager } from './manager/manager.ts';

const REPORT_EVERY_MS = 100;

/**
 * Tells the acceptor what the thread holds: at once when it begins or ceases to hold anything, since that decides
 * where requests go and whether the thread may end; else now and then.
 */
export function reportHolding(manager: ContinuationManager, writer: FrameWriter): void {
  let told = 0;
  let timer: NodeJS.Timeout | null = null;
  const tell = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    told = manager.count;
    const payload = Buffer.allocUnsafe(8);
    payload.writeUInt32BE(Math.min(0xffffffff, told), 0);
    payload.writeUInt32BE(Math.min(0xffffffff, Math.round(manager.bytes)), 4);
    writer.frame(ToHost.Holding, 0, payload);
  };
  manager.onChange = () => {
    if ((told === 0) !== (manager.count === 0)) tell();
    else timer ??= setTimeout(tell, REPORT_EVERY_MS).unref();
  };
}
