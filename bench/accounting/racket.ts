import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hasRacket } from '../support/racket.ts';
import type { Kind } from './kinds.ts';

export { hasRacket };

const PROGRAM = fileURLToPath(new URL('../servlets/accounting.rkt', import.meta.url));

/** Bytes that a custodian is charged for, whose thread holds `mb` MB. */
export const racketCharge = (kind: Kind, mb: number): number => asked('charge', kind, mb)[0] as number;

/** A thread under `custodian-limit-memory` grows as fast as it can. */
export function racketKill(kind: Kind, capMb: number): { overMb: number; killMs: number } {
  const [overMb, killMs] = asked('kill', kind, capMb) as [number, number];
  return { overMb, killMs };
}

/** Bytes that two custodians are charged for, whose threads have taken so many MB at the same time. */
export const racketTwo = (kind: Kind, mb: readonly [number, number]): [number, number] =>
  asked('two', kind, ...mb) as [number, number];

function asked(...args: (string | number)[]): number[] {
  const { stdout, stderr } = spawnSync('racket', [PROGRAM, ...args.map(String)], { encoding: 'utf8', timeout: 60_000 });
  const numbers = stdout.trim().split(' ').map(Number);
  if (stdout === '' || numbers.some(Number.isNaN)) throw new Error(`Cannot measure Racket: ${stdout}${stderr}`);
  return numbers;
}
