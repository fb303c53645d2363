import { TAKERS } from './grow.ts';

/** Takes `?mb=` MB of the kind `?of=`, holds them for `?ms=`, and lets them go. */
export default async function allocate(request: { url: string }): Promise<string> {
  const query = new URL(request.url, 'http://bench').searchParams;
  const take = TAKERS[query.get('of') ?? 'heap'] as () => (bytes: number) => unknown;
  const hold = take();
  const hoard: unknown[] = [];
  for (let half = 0; half < Number(query.get('mb')) * 2; half++) hoard.push(hold(512 * 1024));
  await new Promise((resolve) => setTimeout(resolve, Number(query.get('ms'))));
  return String(hoard.length);
}
