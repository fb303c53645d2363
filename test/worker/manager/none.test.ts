import { expect, test } from 'vitest';
import { createNoneManager } from '../../../packages/worker/src/manager/none.ts';
import { expiryOf, managerCases } from './common-cases.ts';

managerCases('createNoneManager()', createNoneManager, { keeps: false });

test('createNoneManager() takes continuations, and finds none of them', () => {
  const manager = createNoneManager();
  const instance = manager.createInstance();
  const [id, nonce] = manager.store(instance, 'k', null, 100);
  expect([manager.count, manager.bytes]).toEqual([0, 0]);
  expect(expiryOf(() => manager.lookup(instance, id, nonce))).toEqual({
    code: 'SERVLET_NO_CONTINUATION',
    handler: null,
  });
});
