import { GCProfiler } from 'node:v8';
import { TAKERS } from './grow.ts';

const PIECE_BYTES = 512 * 1024;
const KEPT_COUNT = 4;
/** Of work for a processor beside each piece: who only fills memory is at its cap in a moment. */
const CELLS = 4000;

/** V8's, which trusted servlets can reach: collects all garbage. */
const { gc } = globalThis as unknown as { gc: () => void };

/** How often V8 has collected garbage during a request. */
export interface Collections {
  /** All of it. */
  whole: number;
  /** What is young. */
  young: number;
}

/**
 * Takes `?rounds=` pieces of the kind `?of=`, one after another, each of which replaces an older one, and computes. With `?every=` it
 * collects its garbage itself, before the first and whenever it has taken so many, so that V8 hardly ever does, whose own choice when would be
 * most of what one request takes more than another. Answers with {@link Collections} if asked to `?count=`.
 */
export default async function churn(request: { url: string }): Promise<string> {
  const query = new URL(request.url, 'http://bench').searchParams;
  const kind = query.get('of') ?? 'heap';
  const take = TAKERS[kind] as () => (bytes: number) => unknown;
  const rounds = Number(query.get('rounds'));
  const every = Number(query.get('every'));
  const profiler = query.has('count') ? new GCProfiler() : null;
  if (every > 0) gc();
  profiler?.start();
  let hold = take();
  const kept: unknown[] = [];
  let length = 0;
  for (let round = rounds; round > 0; round--) {
    // A wasm memory grows and does not shrink: another one takes its place.
    if (round % KEPT_COUNT === 0) hold = take();
    kept[round % KEPT_COUNT] = hold(PIECE_BYTES);
    for (let cell = 0; cell < CELLS; cell++) length += `<td>${cell * round}</td>`.length;
    if (every > 0 && round % every === 0) gc();
    // What has come meanwhile gets its turn, and so does the collector.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return profiler === null ? String(length) : JSON.stringify(collectionsOf(profiler));
}

function collectionsOf(profiler: GCProfiler): Collections {
  const kinds = profiler.stop().statistics.map(({ gcType }) => gcType);
  const countOf = (type: string): number => kinds.filter((kind) => kind === type).length;
  return { whole: countOf('MarkSweepCompact'), young: countOf('Scavenge') };
}
