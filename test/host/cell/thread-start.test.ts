import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { LeaseOrder } from '@custodian/protocol';
import { Piscina } from 'piscina';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SupervisedThread } from '../../../packages/host/src/cell/supervised-thread.ts';
import { startIn } from '../../../packages/host/src/cell/thread-start.ts';
import { eventually } from '../../support/eventually.ts';
import { FileTree } from '../../support/file-tree.ts';

describe('startIn()', () => {
  let tree: FileTree;
  let pool: Piscina;
  let opened: MessagePort[];
  let started: SupervisedThread[];

  beforeEach(() => {
    tree = new FileTree({ 'serve.mjs': 'export default () => new Promise(() => {});', file: '' });
    pool = new Piscina({ filename: join(tree.path, 'serve.mjs'), minThreads: 0, maxThreads: 1, atomics: 'disabled' });
    opened = [];
    started = [];
  });
  afterEach(async () => {
    await pool.destroy();
    for (const port of opened) port.close();
    tree[Symbol.dispose]();
  });

  const openModules = (): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    opened.push(port1);
    return port2;
  };
  const start = (tempDir: string): SupervisedThread => {
    const order = { lease: 1, heapMaxBytes: 1 << 30, guest: { tempDir } } as LeaseOrder;
    const thread = new SupervisedThread(
      order,
      () => {},
      () => {},
    );
    started.push(thread);
    startIn(pool, thread, openModules);
    return thread;
  };

  it('startIn() closes the ports of a thread for which there is no place, and leaves nothing of it behind', async () => {
    start(join(tree.path, 'first'));
    expect(() => start(join(tree.path, 'second'))).toThrow('the pool has no place for it');
    const collectorPort = started.at(-1)?.collectorPort as MessagePort;
    await Promise.all([once(collectorPort, 'close'), once(opened[1] as MessagePort, 'close')]);
    // Else the next thread would run it, with the order of a lease that is gone.
    expect(pool.queueSize).toBe(0);
    await eventually(
      () => [existsSync(join(tree.path, 'first')), existsSync(join(tree.path, 'second'))],
      ([first, second]) => first === true && second === false,
    );
  });

  it('startIn() closes the ports of a thread whose temporary directory can not be made', async () => {
    expect(() => start(join(tree.path, 'file/temp'))).toThrow('ENOTDIR');
    await once(started.at(-1)?.collectorPort as MessagePort, 'close');
    expect([opened, pool.queueSize, pool.threads]).toEqual([[], 0, []]);
  });
});
