// A process of its own, which goes on from continuations that other processes have saved: one message, one answer.
import { pathToFileURL } from 'node:url';
import { decode, encode } from '../../../packages/worker/src/continuation/serialize/saved.ts';
import { type Continuation, type Outcome, prompt, resume } from '../../../packages/worker/src/continuation/runtime.ts';

/** What the process is asked for: to call a function of a module, or to go on from a page. */
export interface Step {
  /** The compiled module. */
  file: string;
  /** The function to call, with arguments; or null. */
  start: [name: string, ...args: unknown[]] | null;
  /** Where to go on, as base64, or among those that wait in this process, and with what. */
  saved?: string;
  parked?: number;
  answer?: unknown;
}
/** What happened: a page and how to go on from it, a result, or an error. */
export type Seen =
  | { kind: 'asks'; label: string; saved: string }
  /** `parked`: it has a native part, and can be resumed in this process, by that number. */
  | {
      kind: 'refused';
      label: string;
      name: string;
      code?: string;
      message: string;
      path?: string;
      parked?: number;
    }
  | { kind: 'returns'; value: string }
  | { kind: 'throws'; name: string; code?: string; message: string };

const NO_CELLS = new Map();
const parkedHere: Continuation[] = [];

export async function take({ file, start, saved, parked, answer }: Step): Promise<Seen> {
  try {
    const exports = (await import(pathToFileURL(file).href)) as Record<string, (...args: unknown[]) => unknown>;
    let outcome: Outcome;
    if (start !== null) {
      const [name, ...args] = start;
      outcome = await prompt(() => exports[name]!(...args));
    } else if (parked !== undefined) outcome = await resume(parkedHere[parked]!, answer);
    else outcome = await resume(decode(Buffer.from(saved!, 'base64')).continuation, answer);
    return await seen(outcome);
  } catch (error) {
    return { kind: 'throws', ...errorParts(error) };
  }
}

async function seen(outcome: Outcome): Promise<Seen> {
  if (outcome.kind !== 'captured') return { kind: 'returns', value: show(outcome.value) };
  const label = show(await outcome.make(outcome.continuation));
  try {
    const bytes = encode({ continuation: outcome.continuation, cells: NO_CELLS, visit: null });
    return { kind: 'asks', label, saved: Buffer.from(bytes).toString('base64') };
  } catch (error) {
    const path = (error as { path?: string }).path;
    const isParked = outcome.continuation.parked !== null;
    const parked = isParked ? parkedHere.push(outcome.continuation) - 1 : undefined;
    return {
      kind: 'refused',
      label,
      ...errorParts(error),
      ...(path !== undefined && { path }),
      ...(parked !== undefined && { parked }),
    };
  }
}

function errorParts(error: unknown): { name: string; code?: string; message: string } {
  if (!(error instanceof Error)) return { name: show(error), message: '' };
  const { code } = error as { code?: string };
  return { name: error.name, message: error.message, ...(code !== undefined && { code }) };
}
const show = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));

process.on('message', (step: Step) => {
  void take(step).then((answer) => process.send!(answer));
});
process.on('disconnect', () => process.exit());
