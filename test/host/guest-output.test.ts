import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serve } from '../../packages/host/src/index.ts';
import { ServletDirectory } from '../support/servlet-directory.ts';

/** Has Node warn, and answers with what the streams have of their own to which the warning is written. */
const GUEST = `
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
const seen = new Set<string>();
const { write } = Writable.prototype;
Writable.prototype.write = function (this: Writable, ...given: unknown[]): boolean {
  for (const key of Reflect.ownKeys(this)) seen.add(String(key));
  return Reflect.apply(write, this, given);
} as typeof write;
export default async (): Promise<string> => {
  new EventEmitter().setMaxListeners(1).on('x', () => {}).on('x', () => {});
  await new Promise((resolve) => setTimeout(resolve, 1));
  return [...seen].join();
};`;

test('a guest gets no port by a warning, though Node warned of a comma in the path of its files before', async () => {
  using directory = new ServletDirectory({ 'guest.ts': GUEST });
  const servlets = [{ file: directory.file('guest.ts'), profile: 'guest' as const, spareThreads: 0 }];
  await using host = await serve({ servlets, stateDir: join(directory.path, 'state,1'), warmCells: 0 });
  const page = await (await fetch(`${host.url}/guest`)).text();
  expect(page).toContain('_writableState');
  expect(page).not.toContain('kPort');
});
