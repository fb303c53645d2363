import { TAKERS } from './grow.ts';

const PIECE_BYTES = 512 * 1024;
const KEPT_COUNT = 4;
/** Of work for a processor beside each piece: who only fills memory is at its cap in a moment. */
const CELLS = 4000;

/** Takes `?rounds=` pieces of the kind `?of=`, one after another, each of which replaces an older one, and computes. */
export default async function churn(request: { url: string }): Promise<string> {
  const query = new URL(request.url, 'http://bench').searchParams;
  const take = TAKERS[query.get('of') ?? 'heap'] as () => (bytes: number) => unknown;
  let hold = take();
  const kept: unknown[] = [];
  let length = 0;
  for (let round = Number(query.get('rounds')); round > 0; round--) {
    // A wasm memory grows and does not shrink: another one takes its place.
    if (round % KEPT_COUNT === 0) hold = take();
    kept[round % KEPT_COUNT] = hold(PIECE_BYTES);
    for (let cell = 0; cell < CELLS; cell++) length += `<td>${cell * round}</td>`.length;
    // What has come meanwhile gets its turn, and so does the collector.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return String(length);
}
