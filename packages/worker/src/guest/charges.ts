import { statSync } from 'node:fs';
import { byteLengthOf, countOf, fixedBytes, isArray, startsWith } from './originals.ts';
import { ENTRY_BYTES } from './temp-budget.ts';

type Charge = (parameters: unknown[], directory: string) => number;
type Options = Record<string, unknown>;

/**
 * Bytes that a function of `node:fs` adds to the account of the temporary directory. Each makes of its parameters what can't come to
 * more when Node looks at them: getters that answer otherwise the second time, buffers that grow meanwhile. None iterates.
 */
export const CHARGES: Record<string, Charge> = {
  __proto__: null as never,
  appendFile: writesFile,
  writeFile: writesFile,
  mkdir: (parameters, directory) => {
    const path = (parameters[0] = fixedBytes(parameters[0]));
    parameters[1] = onceRead(parameters[1], ['recursive', 'mode']);
    const isRecursive = (parameters[1] as Options | undefined)?.['recursive'] === true;
    if (!isRecursive) return ENTRY_BYTES;
    // Of bytes, which may be others by then, no more than this.
    if (typeof path !== 'string') return ENTRY_BYTES * (1 + byteLengthOf(path, undefined) / 2);
    return ENTRY_BYTES * (1 + countOf(path, '/') - (startsWith(path, directory) ? countOf(directory, '/') : 0));
  },
  mkdtemp: () => ENTRY_BYTES,
  copyFile: (parameters) => ENTRY_BYTES + (statSync(parameters[0] as string, { throwIfNoEntry: false })?.size ?? 0),
  truncate: lengthens,
  ftruncate: lengthens,
  write: (parameters) => {
    parameters[1] = fixedBytes(parameters[1]);
    return byteLengthOf(parameters[1], parameters[3]);
  },
  writev: (parameters) => {
    const views = parameters[1];
    const fixed: unknown[] = [];
    let bytes = 0;
    if (isArray(views))
      for (let at = 0; at < views.length; at++) {
        fixed[at] = fixedBytes(views[at]);
        bytes += byteLengthOf(fixed[at], undefined);
      }
    parameters[1] = fixed;
    return bytes;
  },
};

function writesFile(parameters: unknown[]): number {
  parameters[1] = fixedBytes(parameters[1]);
  const options = onceRead(parameters[2], ['encoding', 'mode', 'flag', 'flush', 'signal']);
  parameters[2] = options;
  const encoding = typeof options === 'string' ? options : (options as Options | undefined)?.['encoding'];
  return byteLengthOf(parameters[1], encoding) + ENTRY_BYTES;
}

function lengthens(parameters: unknown[]): number {
  const length = parameters[1];
  return typeof length === 'number' && length > 0 ? length : 0;
}

/** What of the options counts, read once; a callback in their place, or a short form, stays. */
function onceRead(options: unknown, names: readonly string[]): unknown {
  if (typeof options !== 'object' || options === null) return options;
  const read: Options = { __proto__: null };
  for (let at = 0; at < names.length; at++) {
    const value = (options as Options)[names[at] as string];
    if (value !== undefined) read[names[at] as string] = value;
  }
  return read;
}
