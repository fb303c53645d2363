/** What all servlets of the crawl do, each in its own way. */
import type { ServletRequest } from '@custodian/worker';
import { FLOW_WORK } from './flow-work.ts';
import { LIBRARY_WORK } from './library-work.ts';
import { NODE_WORK } from './node-work.ts';
import { roots } from './reach.ts';
import { found, install } from './tap.ts';

export type Work = (request: ServletRequest) => unknown;

const WORK: Record<string, Work> = {
  install: () => String(install(roots())),
  found: () => JSON.stringify(found()),
  ...NODE_WORK,
  ...LIBRARY_WORK,
  ...FLOW_WORK,
};

export async function run(request: ServletRequest): Promise<unknown> {
  const work = WORK[request.query.get('do') ?? ''];
  return (await work?.(request)) ?? 'done';
}
