import { TAKERS } from './grow.ts';

const collect = (globalThis as { gc?: () => void }).gc;

/** Lets go of all garbage, then takes `?mb=` MB of the kind `?of=`, over `?over=` ms if that is there, holds them for `?ms=`, and lets them go. */
export default async function allocate(request: { url: string }): Promise<string> {
  collect?.();
  const query = new URL(request.url, 'http://bench').searchParams;
  const take = TAKERS[query.get('of') ?? 'heap'] as () => (bytes: number) => unknown;
  const hold = take();
  const hoard: unknown[] = [];
  const halves = Number(query.get('mb')) * 2;
  const pauseMs = Number(query.get('over')) / halves;
  for (let half = 0; half < halves; half++) {
    hoard.push(hold(512 * 1024));
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await new Promise((resolve) => setTimeout(resolve, Number(query.get('ms'))));
  return String(hoard.length);
}
