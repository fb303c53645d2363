import { didYouMean } from './cli/nearest-name.ts';
import { ConfigError } from './config-error.ts';

/** What is wrong with the value that stands at `place`, a sentence for each mistake. */
export type Check = (value: unknown, place: string) => string[];

/** Holds options to a table. @throws ConfigError, whose message has a line for each mistake: `action: mistake` */
export function checkOptions(action: string, check: Check, options: unknown): void {
  const problems = check(options, '');
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `${action}: ${problem}`).join('\n'));
}

export function record(checks: Record<string, Check>, required: readonly string[] = []): Check {
  return (value, place) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return [`${place === '' ? 'it' : place} is not an object`];
    }
    const prefix = place === '' ? '' : `${place}.`;
    const problems: string[] = [];
    for (const [key, member] of Object.entries(value)) {
      if (!Object.hasOwn(checks, key)) {
        problems.push(`unknown key "${prefix}${key}"${didYouMean(key, Object.keys(checks), prefix)}`);
      } else if (member !== undefined) {
        problems.push(...checks[key]!(member, prefix + key));
      }
    }
    for (const key of required) {
      if (!Object.hasOwn(value, key) || (value as Record<string, unknown>)[key] === undefined)
        problems.push(`${prefix}${key} is missing`);
    }
    return problems;
  };
}

export function listOf(check: Check): Check {
  return (value, place) => {
    if (!Array.isArray(value)) return [`${place} is not a list`];
    return value.flatMap((member, index) => check(member, `${place}[${index}]`));
  };
}

export function aPathOr(check: Check): Check {
  return (value, place) =>
    typeof value === 'string' || value instanceof URL ? aPath(value, place) : check(value, place);
}

export function aBooleanOr(check: Check): Check {
  return (value, place) => (typeof value === 'boolean' ? [] : check(value, place));
}

/** Of undici: a guest's fetches are made by it. */
export function aDispatcher(value: unknown, place: string): string[] {
  if (typeof (value as { dispatch?: unknown } | null)?.dispatch === 'function') return [];
  return [`${place} is ${show(value)}, no Dispatcher of undici`];
}

export function aPathOrFalse(value: unknown, place: string): string[] {
  if (value === false || (typeof value === 'string' && value.startsWith('/'))) return [];
  return [`${place} is ${show(value)}, neither false nor a path that begins with /`];
}

export function oneOf(names: readonly (string | false)[]): Check {
  return (value, place) => {
    if (names.includes(value as string | false)) return [];
    const guess =
      typeof value === 'string'
        ? didYouMean(
            value,
            names.filter((name) => name !== false),
          )
        : '';
    return [`${place} is ${show(value)}, not one of ${names.map(show).join(', ')}${guess}`];
  };
}

/** One of them has to be content; what the last one says is said. */
export function anyOf(...checks: readonly Check[]): Check {
  return (value, place) => {
    const problems = checks.map((check) => check(value, place));
    return problems.find((found) => found.length === 0) ?? problems.at(-1) ?? [];
  };
}

export function aFunction(value: unknown, place: string): string[] {
  return typeof value === 'function' ? [] : [`${place} is ${show(value)}, not a function`];
}

export function anObject(value: unknown, place: string): string[] {
  // What it holds is not shown: passwords.
  return typeof value === 'object' && value !== null ? [] : [`${place} is not an object`];
}

export function aLineSink(value: unknown, place: string): string[] {
  const isSink = typeof (value as { write?: unknown } | null)?.write === 'function';
  return isSink ? [] : [`${place} is ${show(value)}, not a path, a descriptor or something with a write()`];
}

export function aPath(value: unknown, place: string): string[] {
  return value instanceof URL && value.protocol === 'file:' ? [] : aString(value, place);
}

export function aString(value: unknown, place: string): string[] {
  return typeof value === 'string' && value !== '' ? [] : [`${place} is ${show(value)}, not a text`];
}

/** Empty, it is the root. */
export function aText(value: unknown, place: string): string[] {
  return typeof value === 'string' ? [] : [`${place} is ${show(value)}, not a text`];
}

export function aRegexp(value: unknown, place: string): string[] {
  return value instanceof RegExp || typeof value === 'string' ? [] : [`${place} is ${show(value)}, not a regexp`];
}

export function aBoolean(value: unknown, place: string): string[] {
  return typeof value === 'boolean' ? [] : [`${place} is ${show(value)}, not true or false`];
}

export function aNumberFrom0(value: unknown, place: string): string[] {
  return typeof value === 'number' && value >= 0 ? [] : [`${place} is ${show(value)}, not a number from 0`];
}

export function aWholeNumber(value: unknown, place: string): string[] {
  return Number.isInteger(value) && (value as number) >= 0
    ? []
    : [`${place} is ${show(value)}, not a whole number from 0`];
}

export function aPort(value: unknown, place: string): string[] {
  const isPort = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
  return isPort ? [] : [`${place} is ${show(value)}, not a port from 0 to 65535`];
}

export function aHostWithPorts(value: unknown, place: string): string[] {
  if (!Array.isArray(value) || value.length !== 2)
    return [`${place} is ${show(value)}, not a host with its list of ports`];
  return [...aString(value[0], `${place}[0]`), ...listOf(aPort)(value[1], `${place}[1]`)];
}

export function aDescriptorOrPath(value: unknown, place: string): string[] {
  return typeof value === 'number' ? aWholeNumber(value, place) : aString(value, place);
}

function show(value: unknown): string {
  const text = typeof value === 'bigint' || typeof value === 'function' ? typeof value : asJson(value);
  return text === undefined ? String(value) : text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function asJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return typeof value;
  }
}
