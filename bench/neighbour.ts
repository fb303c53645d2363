// Does a servlet notice that its neighbour is killed once a second? Estimate: p50 as before, p99 at most three times as long.
import { Agent } from 'node:http';
import { fileURLToPath } from 'node:url';
import { get } from './support/client.ts';
import { alternate, pause, quantile, ratioOf, spreadOf } from './support/rounds.ts';
import { type Answer, type BenchOptions, main } from './support/report.ts';
import { startServer } from './support/server.ts';
import type { HostState } from './servers/custodian.ts';

const CLOCK = fileURLToPath(new URL('../examples/clock.ts', import.meta.url));
const GREEDY = fileURLToPath(new URL('../examples/greedy.ts', import.meta.url));
const VARIANTS = ['alone', 'a greedy neighbour, killed once a second'] as const;
/** Between two requests to the clock: they come at a pace, so that a wait delays one and is not hidden by a pause of all. */
const PACE_MS = 4;
/** A kill a second needs some seconds to be seen. */
const SECONDS_PER_ROUND = 6;

export async function neighbour({ rounds }: BenchOptions): Promise<Answer> {
  const server = await startServer('custodian.ts', { servlets: [{ file: CLOCK, isEager: true }, { file: GREEDY }] });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  try {
    await server.ask('ready');
    await clock(server.url, agent, 2);
    const samples = await alternate(VARIANTS, rounds, async (variant) => {
      const greedy =
        variant === 'alone' ? null : setInterval(() => void get(`${server.url}/greedy`).catch(() => {}), 1000);
      const times = await clock(server.url, agent, SECONDS_PER_ROUND);
      if (greedy !== null) clearInterval(greedy);
      // What is still dying is not the next round's.
      await pause(1500);
      return times;
    });
    const { obituaries } = await server.ask<HostState>('state');
    const of = (variant: (typeof VARIANTS)[number], share: number): number[] =>
      samples[variant].map((times) => quantile(times, share));
    return {
      question: 'does a servlet notice that its neighbour is killed once a second?',
      estimate: 'p50 as before, p99 at most three times as long',
      tables: [
        {
          title: `The clock, asked every ${PACE_MS} ms; ${obituaries.length} kills of its neighbour`,
          columns: ['', 'p50 ms', 'p99 ms', 'worst ms', 'p50 ratio', 'p99 ratio'],
          rows: VARIANTS.map((variant) => [
            variant,
            spreadOf(of(variant, 0.5)),
            spreadOf(of(variant, 0.99)),
            spreadOf(of(variant, 1)),
            ratioOf(of(variant, 0.5), of('alone', 0.5)),
            ratioOf(of(variant, 0.99), of('alone', 0.99)),
          ]),
        },
      ],
    };
  } finally {
    agent.destroy();
    await server.stop();
  }
}

/** Asks at a pace and returns how long each answer took, in ms, from the time that it was due. */
async function clock(url: string, agent: Agent, seconds: number): Promise<number[]> {
  const times: number[] = [];
  const asked: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let count = 0; ; count++) {
    const due = startedAt + count * PACE_MS;
    if (due > startedAt + seconds * 1000) break;
    const wait = due - performance.now();
    if (wait > 0.5) await pause(wait);
    const lateMs = Math.max(0, performance.now() - due - 1);
    asked.push(
      get(`${url}/clock`, agent).then(({ status, ms }) => {
        if (status !== 200) throw new Error(`Cannot measure: the clock answered ${status}`);
        // A timer's own millisecond is the bench's; what is beyond it the machine took from all alike.
        times.push(ms + lateMs);
      }),
    );
  }
  await Promise.all(asked);
  return times;
}

await main(import.meta, 'neighbour', neighbour);
