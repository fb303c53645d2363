import { FrameReader, FrameWriter } from '../../packages/protocol/src/index.ts';
import type { HeldServlet } from '../../packages/host/src/cell/held-servlet.ts';
import { DEFAULT_LIMITS } from '../../packages/host/src/limits.ts';
import { LeaseAsks } from '../../packages/host/src/service/lease-asks.ts';
import { type Holder, type Service, Services } from '../../packages/host/src/service/service.ts';
import { openAsks } from '../../packages/worker/src/asks.ts';

/** A thread that has no instances. */
export const HOLDS_NOTHING: Holder = { holds: () => false, adopt: () => false, release: () => {}, isLost: () => false };

/** Lets this very thread ask services, over frames as every thread does. @returns faults of the services, as they come */
export function connectAsks(servlet: string, services: readonly Service[]): unknown[] {
  const faults: unknown[] = [];
  const toThread = new FrameWriter(
    sinkOf((type, id, buffer, start, end) => asks.onFrame(type, id, Buffer.from(buffer), start, end)),
  );
  const lease = new LeaseAsks(toThread, {
    services: new Services(services),
    servlet: { name: servlet, limits: { ...DEFAULT_LIMITS } } as HeldServlet,
    holder: HOLDS_NOTHING,
    exchange: () => null,
    onMalformed: (error) => faults.push(error),
    onFault: (_service, error) => faults.push(error),
  });
  const asks = openAsks(
    new FrameWriter(sinkOf((type, id, buffer, start, end) => lease.onFrame(type, id, Buffer.from(buffer), start, end))),
  );
  return faults;
}

type OnFrame = ConstructorParameters<typeof FrameReader>[0];

/** What is written is read at the other end, a turn later. */
function sinkOf(onFrame: OnFrame): ConstructorParameters<typeof FrameWriter>[0] {
  const reader = new FrameReader(onFrame);
  return {
    write: (bytes, done) => {
      const copy = Buffer.from(bytes);
      setImmediate(() => {
        done();
        reader.push(copy);
      });
      return true;
    },
  };
}
