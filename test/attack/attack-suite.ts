/* oxlint-disable vitest/no-conditional-expect, vitest/no-standalone-expect, vitest/expect-expect -- the table says which expectations an attack has */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Limits } from '../../packages/host/src/index.ts';
import { otherNode } from '../support/other-node.ts';
import { type Outcome, Target } from './attack-run.ts';
import type { Attack } from './attack.ts';

const MB = 1 << 20;
/** Two cores that also run the attack, the tests and their clocks make waits of several ms by themselves. */
const P99_FLOOR_MS = 15;
const P99_MAX_RATIO = 3;
/** Three tries, each of a wall clock of ten seconds at the most with what comes before and after it. */
const TRIES_MAX_MS = 90_000;
/** The acceptor buffers a window of body for each exchange, and its heap grows a little before it is collected. */
const PEAK_GROWTH_MAX_BYTES = 48 * MB;
/** Over all attacks together, with what the heap keeps for later given back: 15 to 24 MB come with the first floods, and stay that. */
const GROWTH_MAX_BYTES = 32 * MB;

const NODES = [
  { name: `Node ${process.version}`, path: process.execPath },
  ...otherNode(26).map((path) => ({ name: 'Node 26', path })),
];

/** Tests for attacks: one host for all of them, under each Node. */
export function attackSuite(attacks: readonly Attack[], limits: Partial<Limits> = {}): void {
  describe.each(NODES)('under $name', ({ path }) => {
    let target: Target;
    beforeAll(async () => {
      target = await Target.start(path, attacks, limits);
    });
    afterAll(async () => {
      const { leftDescriptors, leftProcesses, leftDirectories } = await target.settle();
      expect({ leftDescriptors: Math.max(0, leftDescriptors), leftProcesses, leftDirectories }).toEqual({
        leftDescriptors: 0,
        leftProcesses: [],
        leftDirectories: [],
      });
      const { held } = await target.process.ask({ type: 'close' });
      await target[Symbol.asyncDispose]();
      expect(held).toEqual([]);
    });

    it.each(attacks.map((attack) => [`${attack.number}: ${attack.name}`, attack] as const))(
      '%s',
      async (_, attack) => {
        let outcome = await target.attack(attack, { hasReserve: false });
        // Who comes while an only thread is stuck waits for the second one's start, which is no doing of the attack: it is there the next time.
        // Whoever else uses these cores shows now and then, and in the baseline too; what an attack does to its neighbours shows every time.
        for (let again = 0; again < 2 && isSlow(outcome, attack, target); again++) {
          await target.takeBaseline();
          outcome = await target.attack(attack, { hasReserve: true });
        }
        judge(attack, outcome, target);
      },
      TRIES_MAX_MS,
    );
  });
}

function boundOf(target: Target): number {
  return P99_MAX_RATIO * Math.max(P99_FLOOR_MS, target.baseline.p99);
}

function isSlow(outcome: Outcome, { harmsItsCell }: Attack, target: Target): boolean {
  const bound = boundOf(target);
  return (outcome.neighbour?.p99 ?? 0) >= bound || (harmsItsCell !== true && (outcome.sibling?.p99 ?? 0) >= bound);
}

function judge(attack: Attack, outcome: Outcome, target: Target): void {
  const bound = boundOf(target);
  expect.soft(target.process.ending, 'the host lives').toBeNull();
  expect.soft(attack.statuses, outcome.page).toContain(outcome.status);
  if (attack.codes !== undefined && attack.codes.length > 0)
    expect.soft(outcome.page).toMatch(new RegExp(`<code>(${attack.codes.join('|')})</code>`));
  if (attack.page !== undefined) expect.soft(outcome.page).toMatch(attack.page);
  if (attack.again !== undefined) {
    expect.soft(attack.again.status, outcome.again?.page).toContain(outcome.again?.status);
    if (attack.again.page !== undefined) expect.soft(outcome.again?.page).toMatch(attack.again.page);
  }
  const causes = outcome.obituaries.filter(({ servlet }) => servlet === attack.number).map(({ cause }) => cause);
  expect
    .soft(
      causes.filter((cause) => !attack.causes.includes(cause)),
      'causes of death',
    )
    .toEqual([]);
  if (!attack.statuses.includes(200) && attack.mayLive !== true)
    expect.soft(causes.length > 0).toBe(attack.causes.length > 0);
  expect
    .soft(
      outcome.obituaries.filter(({ servlet }) => servlet !== attack.number),
      'deaths of others',
    )
    .toEqual([]);

  if (outcome.neighbour !== null) {
    expect.soft(outcome.neighbour.failures, "the neighbour's answers").toEqual([]);
    expect.soft(outcome.neighbour.p99, "the neighbour's p99").toBeLessThan(bound);
  }
  if (outcome.sibling !== null && attack.harmsItsCell !== true) {
    expect.soft(outcome.sibling.failures, 'answers of a healthy route of the same servlet').toEqual([]);
    expect.soft(outcome.sibling.p99, 'p99 of a healthy route of the same servlet').toBeLessThan(bound);
  }
  expect.soft(outcome.leftDescriptors, 'descriptors left').toBeLessThanOrEqual(0);
  if (attack.isOpen !== true) expect.soft(outcome.leftProcesses, 'processes left').toEqual([]);
  expect.soft(outcome.leftDirectories, 'temporary directories left').toEqual([]);
  expect
    .soft(outcome.peakGrowthBytes / MB, "the acceptor's memory at its peak, in MB")
    .toBeLessThan(PEAK_GROWTH_MAX_BYTES / MB);
  expect.soft(outcome.growthBytes / MB, "the acceptor's memory afterwards, in MB").toBeLessThan(GROWTH_MAX_BYTES / MB);
}
