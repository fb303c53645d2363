import { once } from 'node:events';
import { createServer, connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameWriter, type ThreadSample, ToHost } from '@custodian/protocol';
import { describe, expect, test, vi } from 'vitest';
import type { Cell } from '../../../packages/host/src/cell/cell.ts';
import { Lease, type LeaseFollower } from '../../../packages/host/src/cell/lease.ts';
import type { CellGroup } from '../../../packages/host/src/cell/cell-group.ts';
import type { HeldServlet } from '../../../packages/host/src/cell/held-servlet.ts';
import { ServletPool } from '../../../packages/host/src/cell/pool.ts';
import type { PoolSite } from '../../../packages/host/src/cell/pool-site.ts';
import { Custodian } from '../../../packages/host/src/custodian.ts';
import type { Exchange } from '../../../packages/host/src/http/exchange.ts';
import { DEFAULT_LIMITS } from '../../../packages/host/src/limits.ts';

/** Both ends of a thread's channel. */
async function channel(): Promise<[near: Socket, far: Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  server.close();
  return [near, far];
}

test('Lease has the cause that its supervisor gives, also when the end of its channel shows first', async () => {
  const [near, far] = await channel();
  const custodian = new Custodian('cell', null);
  const cell = { number: 1, custodian, deathCause: null, memory: {}, send() {}, onLeaseGone() {} } as unknown as Cell;
  const gone = Promise.withResolvers<void>();
  const follower = { onEnding() {}, onGone: () => gone.resolve() } as unknown as LeaseFollower;
  const lease = new Lease(1, near, cell, true, 50 << 20, follower);
  far.destroy();
  await once(near, 'close');
  expect([lease.state, lease.deathCause]).toEqual(['ending', null]);
  lease.onBreach('cpu', 1147.6);
  // Of what it is over besides, later, nobody needs to hear.
  lease.onBreach('heap', 99 << 20);
  lease.onThreadExit(1, null);
  await gone.promise;
  expect([lease.deathCause, lease.deathDetail]).toEqual(['cpu', '1148 ms of CPU time']);
});

test('Lease reads what its thread holds so often in a second, and not any faster however often it is told', async () => {
  const [near, far] = await channel();
  const cell = {
    number: 1,
    custodian: new Custodian('cell', null),
    memory: {},
    send() {},
    onLeaseGone() {},
  } as unknown as Cell;
  let told = 0;
  const lease = new Lease(1, near, cell, true, 50 << 20, {
    onHolding: () => told++,
    onEnding() {},
    onGone() {},
  } as unknown as LeaseFollower);
  const head = Buffer.from([0, 0, 0, 17, ToHost.Holding, 0, 0, 0, 0]);
  const frames = Buffer.concat(Array.from({ length: 200_000 }, () => Buffer.concat([head, Buffer.alloc(12)])));
  far.write(frames);
  await sleep(500);
  expect(told).toBeGreaterThanOrEqual(10_000);
  // What had come with the last of them, in each of a few reads, is taken as well.
  expect(told).toBeLessThan(60_000);
  expect(lease.state).not.toBe('ending');
  far.on('error', () => {}).destroy();
  near.destroy();
});

describe('Lease.revoke()', () => {
  /** A thread that has one request, as its acceptor sees it. */
  async function atOne(): Promise<{
    lease: Lease;
    asked: string[];
    see: (running: number) => void;
    answer: () => Promise<void>;
    exchange: { hasBegun: boolean };
    giveBack: () => Promise<unknown>;
    /** What becomes of its request, unless it is answered. */
    fate: Promise<unknown>;
  }> {
    const [near, far] = await channel();
    // The test ends it.
    near.on('error', () => {});
    const custodian = new Custodian('cell', null);
    const asked: string[] = [];
    const fate = Promise.withResolvers<unknown>();
    const cell = {
      memory: { seenBytes: 70 << 20 },
      number: 1,
      custodian,
      send: ({ type }: { type: string }) => asked.push(type),
      onLeaseReady() {},
      kill: (cause: string) => fate.resolve(['killed', cause]),
    };
    const ready = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const follower = {
      onReady: () => ready.resolve(),
      onAnswered: () => answered.resolve(),
      onEnding() {},
      onCpu() {},
      onReturned: (_lease: Lease, [returned]: Exchange[]) => returned && fate.resolve(['returned', returned]),
    };
    const lease = new Lease(1, near, cell as unknown as Cell, true, 50 << 20, follower as unknown as LeaseFollower);
    const writer = new FrameWriter(far);
    writer.frame(ToHost.Ready, 0, Buffer.from('{"kind":"servlet"}'));
    await ready.promise;
    const connection = { clientIp: '127.0.0.1', hostIp: '127.0.0.1', hostPort: 80, isSecure: false };
    const fields = { method: 'GET', url: '/', connection, decodedHeaders: [], carriedBy() {}, takeBack() {} };
    const exchange = { ...fields, hasBegun: false } as unknown as Exchange & { hasBegun: boolean };
    lease.run(exchange);
    return {
      lease,
      asked,
      see(running) {
        const sample: ThreadSample = {
          lease: 1,
          heapBytes: 0,
          offHeapBytes: 0,
          unexplainedBytes: 0,
          cpuMs: 0,
          running,
          isStarting: false,
        };
        lease.onSample(sample);
      },
      async answer() {
        writer.frame(
          ToHost.Fail,
          exchange.requestId,
          Buffer.concat([Buffer.alloc(8), Buffer.from('{"name":"Error"}')]),
        );
        await answered.promise;
        far.destroy();
      },
      exchange,
      giveBack() {
        writer.frame(ToHost.NotStarted, exchange.requestId);
        return fate.promise;
      },
      fate: fate.promise,
    };
  }

  test('Lease.watch() tells what its cell had when it was looked at last before the request', async () => {
    const { lease, answer } = await atOne();
    const sent: unknown[] = [];
    Object.assign(lease.cell, { send: (message: unknown) => sent.push(message) });
    lease.cell.memory.seenBytes = 90 << 20;
    lease.watch(100);
    await answer();
    expect(sent[0]).toEqual({ type: 'watch', lease: 1, cpuMs: 100, beforeBytes: 70 << 20 });
  });

  test('Lease.revoke() asks for nothing when the thread was seen at its only request, and it is ready with the answer', async () => {
    const { lease, asked, see, answer } = await atOne();
    see(1);
    lease.revoke();
    see(1);
    expect([lease.state, asked]).toEqual(['stalled', []]);
    await answer();
    expect([lease.state, asked]).toEqual(['ready', []]);
  });

  test('a request that its thread gives back goes to others when it was asked for, and costs the cell its life when it was not', async () => {
    const [asked, unasked, begun] = [await atOne(), await atOne(), await atOne()];
    asked.lease.revoke();
    // Its supervisor's word comes by another way, and may come later.
    expect(await asked.giveBack()).toEqual(['returned', asked.exchange]);
    expect(await unasked.giveBack()).toEqual(['killed', 'protocol']);
    begun.lease.revoke();
    begun.exchange.hasBegun = true;
    expect(await begun.giveBack()).toEqual(['killed', 'protocol']);
  });

  test('a request whose body was read and whose answer is on its way is waited for, and costs nobody his life', async () => {
    const { lease, exchange, answer } = await atOne();
    Object.assign(exchange, { hasBegun: true, isRepeatable: true });
    lease.revoke();
    lease.onRevoked(1, 1, true);
    expect(lease.exchanges.has(1)).toBe(true);
    await answer();
  });

  test('an answer that is on its way is waited for; for one that lies in its thread another is asked', async () => {
    const [arriving, lying] = [await atOne(), await atOne()];
    for (const { lease, exchange } of [arriving, lying]) {
      Object.assign(exchange, { isRepeatable: true });
      lease.revoke();
      lease.onRevoked(1, 1, true);
    }
    await arriving.answer();
    expect(await lying.fate).toEqual(['returned', lying.exchange]);
    expect(await Promise.race([arriving.fate, sleep(200)])).toBeUndefined();
    expect(arriving.asked).toEqual(['revoke', 'restore']);
  });

  test('the time that a request has run whose answer lies in its thread is no wait, but for the second time', async () => {
    const waitingMs = async (isRepeated: boolean): Promise<number> => {
      const { lease, exchange, fate } = await atOne();
      Object.assign(exchange, { isRepeatable: true, isRepeated, givenAt: performance.now() - 20_000 });
      lease.revoke();
      lease.onRevoked(1, 1, true);
      await fate;
      return performance.now() - (exchange as unknown as Exchange).givenAt;
    };
    expect(await waitingMs(false)).toBeLessThan(10_000);
    expect(await waitingMs(true)).toBeGreaterThanOrEqual(20_000);
  });

  test('Lease.revoke() asks back the only request of a thread that was not seen at it, or is found to be at it no more', async () => {
    const unseen = await atOne();
    unseen.lease.revoke();
    const moved = await atOne();
    moved.see(1);
    moved.lease.revoke();
    moved.see(0);
    for (const { lease, asked, answer } of [unseen, moved]) {
      expect([lease.state, asked]).toEqual(['stalled', ['revoke']]);
      lease.onRevoked(1, 1, false);
      await answer();
      expect([lease.state, asked]).toEqual(['stalled', ['revoke', 'restore']]);
    }
  });
});

test('what a request has had of a thread that died is no wait: another has as long for it', () => {
  const held = { name: 's', file: 's.mjs', unit: 'servlet', limits: { ...DEFAULT_LIMITS } };
  const site = { budget: { reserve: () => false, release() {} }, onDeath() {} };
  const pool = new ServletPool(held as unknown as HeldServlet, {} as CellGroup, site as unknown as PoolSite);
  const [died, other] = Array.from({ length: 2 }, () => ({
    url: '/',
    home: null,
    token: null,
    isRepeatable: true,
    givenAt: performance.now() - DEFAULT_LIMITS.queueTimeoutMs - 1,
    refuse: vi.fn<(page: { code: string }) => void>(),
  }));
  const lease = {
    place: 'r0.1-1-a',
    exchanges: new Map([died, other].entries()),
    holdings: { unsavedCount: 0 },
    deathCause: 'crash',
    deathDetail: '',
    failure: null,
    meter: {},
    adopted: new Set(),
    cell: { isGone: false, isMourned: false, suspects: [], memory: {} },
  };
  pool.onGone(lease as unknown as Lease, 0);
  expect(pool.queuedCount).toBe(2);
  // As the next thread does that gets it.
  for (const exchange of [died, other]) exchange!.givenAt ||= performance.now();
  pool.onReturned({} as Lease, [died, other] as unknown as Exchange[]);
  for (const exchange of [died, other]) expect(exchange!.refuse).not.toHaveBeenCalled();
});

test('a request that threads give back again and again is refused when it has waited in them for as long as it may wait', () => {
  const held = { name: 's', file: 's.mjs', unit: 'connection', limits: { ...DEFAULT_LIMITS } };
  const pool = new ServletPool(held as unknown as HeldServlet, {} as CellGroup, {} as PoolSite);
  const refuse = vi.fn<(page: { code: string }) => void>();
  const exchange = {
    home: null,
    isDone: false,
    givenAt: performance.now() - DEFAULT_LIMITS.queueTimeoutMs - 1,
    refuse,
  };
  pool.onReturned({} as Lease, [exchange as unknown as Exchange]);
  expect(refuse).toHaveBeenCalledWith(expect.objectContaining({ code: 'LIMIT_QUEUE_TIMEOUT' }));
});
