import { CreditedReceiver } from '@custodian/protocol';
import { expect, test } from 'vitest';
import type { Ask } from '../../../packages/host/src/service/service.ts';
import type { KeptVersion, VersionKeeper } from '../../../packages/host/src/version/version-keeper.ts';
import { VersionService } from '../../../packages/host/src/version/version-service.ts';

const VERSION = {
  compiler: 'this',
  persistence: 'stateless',
  modules: [['main.ts', 'hash']],
  code: { './main.ts': '' },
};
const PIECE = Buffer.alloc(1 << 20, ' ');

test('threads that send the same code at once are no fault: of those that there is no room for, nothing is kept', async () => {
  const kept: KeptVersion[] = [];
  const keeper = { keep: (_servlet: string, version: KeptVersion) => Promise.resolve(kept.push(version)) };
  const service = new VersionService(keeper as unknown as VersionKeeper);
  const bodies = Array.from({ length: 70 }, () => new CreditedReceiver(64 << 20, () => {}));
  const asks = bodies.map((body) => ({ servlet: { name: 'many' }, body, json: () => ({ keep: true }) }));
  const answers = asks.map((ask) => service.answer(ask as unknown as Ask));
  for (let pieces = 0; pieces < 4; pieces++) for (const body of bodies.slice(0, 17)) body.push(PIECE);
  for (const body of bodies) {
    body.push(Buffer.from(JSON.stringify(VERSION)));
    body.end();
  }
  expect(await Promise.all(answers)).toEqual(asks.map(() => ({})));
  // All but the six that are too many, and of those the ones that came too late for 64 MB.
  expect(kept.length).toBeGreaterThanOrEqual(47);
  expect(kept.length).toBeLessThan(64);
});
