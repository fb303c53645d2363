import { once } from 'node:events';
import { createServer, connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { Cell } from '../../../packages/host/src/cell/cell.ts';
import { Lease, type LeaseFollower } from '../../../packages/host/src/cell/lease.ts';
import { Custodian } from '../../../packages/host/src/custodian.ts';

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
  const cell = { number: 1, custodian, deathCause: null, send() {}, onLeaseGone() {} } as unknown as Cell;
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
