import type { ServletRequest } from '@custodian/worker';

/** Takes memory until it is stopped: V8's heap, or with `?of=buffers` memory outside it, which counts as well. */
export default function greedy(request: ServletRequest): never {
  const isOffHeap = request.query.get('of') === 'buffers';
  const hoard: unknown[] = [];
  for (;;) hoard.push(isOffHeap ? Buffer.alloc(64 * 1024, 1) : Array.from({ length: 8 * 1024 }, Math.random));
}
