/** An error as plain data: class name, code and stack survive the boundary, which `postMessage` would drop. */
export interface Failure {
  name: string;
  message: string;
  code?: string;
  stack?: string;
  cause?: Failure;
  /** Of an AggregateError: what it holds, or the first of them. */
  errors?: Failure[];
  /** The author's lines around the place, with a caret under it. */
  source?: string;
  /** The acceptor's own: names this failure in the log and on the page. None: the log does not have it. */
  id?: string;
}

const TEXT_MAX_CHARS = 16 * 1024;
const CAUSE_MAX_DEPTH = 4;
/** Of errors within errors, in all. */
const ERRORS_MAX_COUNT = 8;

/** The record of anything that was thrown. Never throws itself, whatever getters the value has. */
export function failureOf(thrown: unknown): Failure {
  return recordOf(thrown, 0, { left: ERRORS_MAX_COUNT });
}

function recordOf(thrown: unknown, depth: number, room: { left: number }): Failure {
  try {
    if (thrown instanceof Error || (typeof thrown === 'object' && thrown !== null && 'message' in thrown)) {
      const error = thrown as Error & { code?: unknown };
      const failure: Failure = { name: text(error.name ?? 'Error'), message: text(error.message) };
      if (error.code !== undefined) failure.code = text(error.code);
      if (typeof error.stack === 'string') failure.stack = text(error.stack);
      if (depth === CAUSE_MAX_DEPTH) return failure;
      if (error.cause !== undefined) failure.cause = recordOf(error.cause, depth + 1, room);
      if (error instanceof AggregateError)
        addErrors(failure, error.errors, (each) => recordOf(each, depth + 1, room), room);
      return failure;
    }
    return { name: 'Thrown', message: text(thrown) };
  } catch {
    return { name: 'Thrown', message: 'a value that can not be described' };
  }
}

/** The property by which an error that ends a thread carries its record, in JSON, to the thread's supervisor. */
export const CRASH_RECORD = 'custodianFailure';

/** The record of the error that a thread ended with. */
export function failureOfCrash(thrown: unknown): Failure {
  const record = (thrown as { [CRASH_RECORD]?: unknown } | null | undefined)?.[CRASH_RECORD];
  return typeof record === 'string' ? readFailure(record) : failureOf(thrown);
}

/** Reads a record that came from a cell: checked, bounded, never trusted to be one. */
export function readFailure(json: string): Failure {
  try {
    return checked(JSON.parse(json), 0, { left: ERRORS_MAX_COUNT });
  } catch {
    return { name: 'Error', message: 'the cell sent an unreadable failure' };
  }
}

function checked(value: unknown, depth: number, room: { left: number }): Failure {
  const record = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const failure: Failure = { name: text(record['name'] ?? 'Error'), message: text(record['message'] ?? '') };
  if (record['code'] !== undefined) failure.code = text(record['code']);
  if (record['stack'] !== undefined) failure.stack = text(record['stack']);
  if (record['source'] !== undefined) failure.source = text(record['source']);
  if (depth === CAUSE_MAX_DEPTH) return failure;
  if (record['cause'] !== undefined) failure.cause = checked(record['cause'], depth + 1, room);
  addErrors(failure, record['errors'], (each) => checked(each, depth + 1, room), room);
  return failure;
}

function addErrors(
  failure: Failure,
  errors: unknown,
  record: (each: unknown) => Failure,
  room: { left: number },
): void {
  if (!Array.isArray(errors) || errors.length === 0) return;
  failure.errors = [];
  for (let at = 0; at < errors.length && room.left > 0; at++) {
    room.left--;
    failure.errors.push(record(errors[at]));
  }
}

function text(value: unknown): string {
  const whole = typeof value === 'string' ? value : String(value);
  if (whole.length <= TEXT_MAX_CHARS) return whole;
  // A copy: V8 keeps the whole text for as long as somebody has a piece of it, and obituaries are kept for long.
  return Buffer.from(`${whole.slice(0, TEXT_MAX_CHARS)}…`).toString();
}
