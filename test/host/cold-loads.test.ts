import { expect, it } from 'vitest';
import { longServlet } from '../../bench/servlets/suspending.ts';
import { StartedHost } from '../support/started-host.ts';

it('servlets of 2,000 lines that nobody has compiled before are loaded at once, each within the default cap of memory', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const servlet = (name: string): string => `${longServlet()}\nexport default (): string => '${name}';\n`;
  await using started = await StartedHost.start(
    Object.fromEntries(names.map((name) => [`${name}.ts`, servlet(name)])),
    { limits: { queueTimeoutMs: 60_000, loadTimeoutMs: 60_000 } },
  );
  const answers = await Promise.all(names.map(async (name) => (await fetch(`${started.url}/${name}`)).text()));
  expect(answers).toEqual(names);
  expect(started.host.ledger.obituaries).toEqual([]);
});
