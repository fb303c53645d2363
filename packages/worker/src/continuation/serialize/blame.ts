import { Frame } from '../frame.ts';
import { tagOf } from '../module-code.ts';
import { UnserializableError } from './errors.ts';
import { NEXT } from './frames.ts';
import type { Found } from './graph-writer.ts';
import type { Refusal } from './refusal.ts';

/** What the roots of a graph are, for messages: by their index. */
export type RootNames = readonly string[];

/** So many steps are shown of the beginning of a long path, and of its end. */
const PATH_END_COUNT = 8;

/** One step on the way from a root to a value: what was reached, and from where. */
interface Step {
  holder: object | null;
  at: unknown;
}

/**
 * The error for a value that can't be written, which was met at `last`; `found` says of every other node where it was.
 * It names the variable of the innermost frame that leads to the value.
 */
export function blame(
  refusal: Refusal,
  last: Found,
  found: ReadonlyMap<object, Found>,
  roots: RootNames,
): UnserializableError {
  if (refusal.value instanceof Frame && refusal.value.meta !== null) return blameCall(refusal, refusal.value);
  const steps: Step[] = [];
  // What is wrong with a node itself is met where that was.
  for (
    let step: Found | undefined = found.get(refusal.value as object) ?? last;
    step !== undefined;
    step = step.holder ? found.get(step.holder) : undefined
  ) {
    steps.unshift(step);
    if (step.holder instanceof Frame && step.at !== NEXT) break;
  }
  const [first, ...rest] = steps as [Step, ...Step[]],
    { variable, place, where } = describe(first, roots);
  const isBox = first.holder instanceof Frame && isBoxed(first.holder, first.at),
    inside = isBox && rest[0]?.at === 'v' ? rest.slice(1) : rest,
    path = variable + shortened(inside.map(show)),
    what = variable.startsWith('$') ? 'a value in the middle of an expression' : `"${path}"`;
  return new UnserializableError(`Cannot save the page${where}: ${what} ${refusal.reason}`, variable, path, place);
}

/** It is a call that can't be written, whatever is in it. */
function blameCall({ reason }: Refusal, { meta, pc }: Frame): UnserializableError {
  const { file, name, awaits } = meta!;
  const { line, column } = awaits[pc - 1]!;
  const message = `Cannot save the page that ${name} waits for (${file}:${line}:${column}): it ${reason}`;
  return new UnserializableError(message, name, name, { file, line, column });
}

function describe(
  { holder, at }: Step,
  roots: RootNames,
): { variable: string; place: UnserializableError['place']; where: string } {
  if (!(holder instanceof Frame)) return { variable: roots[at as number] ?? 'a value', place: null, where: '' };
  const { meta, pc } = holder;
  if (meta === null) return { variable: `a ${String(at)} of the library`, place: null, where: '' };
  const site = meta.awaits[pc - 1]!,
    place = { file: meta.file, line: site.line, column: site.column };
  return {
    variable: typeof at === 'number' ? (meta.variables[site.live[at]!] ?? 'a value') : 'a closure',
    place,
    where: ` that ${meta.name} waits for (${place.file}:${place.line}:${place.column})`,
  };
}

function isBoxed({ meta, pc }: Frame, at: unknown): boolean {
  return typeof at === 'number' && meta !== null && meta.boxes.includes(meta.awaits[pc - 1]!.live[at]!);
}

function show({ holder, at }: Step): string {
  if (typeof at === 'number') return `[${at}]`;
  if (typeof at === 'symbol') return `[${String(at)}]`;
  if (typeof at === 'object' && at !== null) {
    if ('captured' in at) return `'s ${String(at.captured)}`;
    if ('key' in at) return ` at ${showKey(at.key)}`;
  }
  if (holder !== null && tagOf(holder) !== undefined) return `.${String(at)}`;
  const key = String(at);
  if (key.startsWith('[[')) return '';
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** A chain of closures, or a list by its links, may be thousands long: where it begins and what it ends in says enough. */
function shortened(steps: readonly string[]): string {
  if (steps.length <= 2 * PATH_END_COUNT) return steps.join('');
  return `${steps.slice(0, PATH_END_COUNT).join('')} ... ${steps.slice(-PATH_END_COUNT).join('')}`;
}

function showKey(key: unknown): string {
  if (typeof key === 'string') return JSON.stringify(key.slice(0, 40));
  return typeof key === 'number' || typeof key === 'bigint' || typeof key === 'symbol'
    ? String(key)
    : `a ${typeof key}`;
}
