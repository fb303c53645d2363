import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until a claim holds, and says what was found last when it does not in time. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  holds: (found: T) => boolean,
  { ms = 5000, what = 'it' }: { ms?: number; what?: string } = {},
): Promise<T> {
  const until = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (holds(found)) return found;
    if (performance.now() > until) throw new Error(`${what} was not so within ${ms} ms: ${JSON.stringify(found)}`);
    await sleep(20);
  }
}
