import { type HeaderValues, headerPairs } from './reply-head.ts';
import type { PlainReply } from './reply.ts';

/** One event for an `EventSource`. A string is an event that has only data. */
export interface ServerEvent {
  /** May have several lines. Without it the browser fires no event, but takes note of `id` and `retryMs`. */
  data?: string;
  /** The event's type; the browser takes it for `message` without. */
  event?: string;
  /** What the browser sends as `Last-Event-ID` when it connects again. */
  id?: string;
  /** How long the browser waits before it connects again. */
  retryMs?: number;
}

export interface EventStreamOptions {
  headers?: HeaderValues;
  /** A comment is sent when there was no event for so long, so that nobody on the way takes the connection for dead. Default 15 s; 0: never. */
  heartbeatMs?: number;
}

const HEARTBEAT_MS = 15_000;

/**
 * Server-sent events: each item of `events` is sent as it comes, at the pace of the client. When the client goes away,
 * `events` is ended: a generator runs its `finally` at its next `yield`. A stream keeps its thread, unless the servlet is held
 * with `unit: 'servlet'`.
 * @throws TypeError, while streaming, for an event that can't be written: line breaks in `event` or `id`
 * @see https://html.spec.whatwg.org/#server-sent-events
 *
 * @example
 * ```ts
 * async function* ticks() {
 *   for (let count = 1; ; count++) {
 *     yield { event: 'tick', data: String(count) };
 *     await new Promise((resolve) => setTimeout(resolve, 1000));
 *   }
 * }
 * const clock = (request: ServletRequest) => eventStream(ticks());
 * ```
 */
export function eventStream(events: AsyncIterable<ServerEvent | string>, options: EventStreamOptions = {}): PlainReply {
  const { headers, heartbeatMs = HEARTBEAT_MS } = options;
  if (typeof heartbeatMs !== 'number' || !(heartbeatMs >= 0))
    throw new TypeError('Cannot stream events: heartbeatMs is not a number from 0');
  if (typeof (events as Partial<typeof events> | null)?.[Symbol.asyncIterator] !== 'function')
    throw new TypeError('Cannot stream events: they are no async iterable');
  return {
    headers: [
      ['Content-Type', 'text/event-stream; charset=utf-8'],
      ['Cache-Control', 'no-store'],
      ...headerPairs(headers),
    ],
    body: { [Symbol.asyncIterator]: () => new EventText(events[Symbol.asyncIterator](), heartbeatMs) },
  };
}

/** Not a generator: its `return()` would wait for the event that is being waited for. */
class EventText implements AsyncIterator<string, void> {
  readonly #events: AsyncIterator<ServerEvent | string>;
  readonly #heartbeatMs: number;
  #next: Promise<IteratorResult<ServerEvent | string, unknown>> | null = null;

  constructor(events: AsyncIterator<ServerEvent | string>, heartbeatMs: number) {
    this.#events = events;
    this.#heartbeatMs = heartbeatMs;
  }

  async next(): Promise<IteratorResult<string, void>> {
    this.#next ??= this.#events.next();
    const result = this.#heartbeatMs === 0 ? await this.#next : await within(this.#next, this.#heartbeatMs);
    if (result === null) return { done: false, value: ':\n\n' };
    this.#next = null;
    return result.done === true ? { done: true, value: undefined } : { done: false, value: eventText(result.value) };
  }

  async return(): Promise<IteratorResult<string, void>> {
    await this.#events.return?.();
    return { done: true, value: undefined };
  }
}

/** null: it was not settled in time. */
async function within<Value>(promise: Promise<Value>, ms: number): Promise<Value | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(late.resolve, ms, null);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function eventText(item: ServerEvent | string): string {
  const event: ServerEvent = typeof item === 'string' ? { data: item } : item;
  let text = '';
  if (event.event !== undefined) text += `event: ${oneLine(event.event, 'type')}\n`;
  if (event.id !== undefined) text += `id: ${oneLine(event.id, 'id')}\n`;
  if (event.retryMs !== undefined) {
    if (!Number.isSafeInteger(event.retryMs) || event.retryMs < 0)
      throw new TypeError('Cannot stream an event: retryMs is not a whole number from 0');
    text += `retry: ${event.retryMs}\n`;
  }
  if (event.data !== undefined) {
    if (typeof event.data !== 'string')
      throw new TypeError(`Cannot stream an event: its data is of type ${typeof event.data}, not a string`);
    for (const line of event.data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  }
  return `${text}\n`;
}

function oneLine(value: unknown, what: string): string {
  if (typeof value === 'string' && !/[\r\n\0]/.test(value)) return value;
  throw new TypeError(`Cannot stream an event: its ${what} is no string of one line`);
}
