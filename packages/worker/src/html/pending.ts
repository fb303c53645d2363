import { AsyncResource } from 'node:async_hooks';
import { Html, HtmlPendingError, isHtml, isPending, markPending } from './fragment.ts';
import { iteratorOf } from '../http/iterator.ts';
import type { Hole, Plan } from './plan.ts';
import { adjusted, asText, isToCome, listOf, NOT_YET, show } from './show.ts';

/** How much text is put together at most before it is sent. */
const PIECE_MAX_CHARS = 64 * 1024;

/** A fragment with something in it that has to be waited for. Its text comes in pieces, in order. */
export class PendingHtml implements Html, AsyncIterable<string> {
  readonly #plan: Plan;
  readonly #values: readonly unknown[];
  readonly #from: number;
  readonly #before: string;
  // Generators of the author's run while the page is sent, and still belong to the request that it answers.
  readonly #made: AsyncResource = new AsyncResource('PENDING_HTML');

  /** `before`: the markup of all before the hole `from`, which is the first to be waited for. */
  constructor(plan: Plan, values: readonly unknown[], from: number, before: string) {
    this.#plan = plan;
    this.#values = values;
    this.#from = from;
    this.#before = before;
    // The page has them now; until it comes to them, a rejection is not left alone.
    for (let index = from; index < values.length; index += 1) adopt(values[index]);
  }

  get text(): never {
    throw new HtmlPendingError(
      'Cannot read the text of a fragment: it waits for a promise or a stream (await whole())',
    );
  }

  async whole(): Promise<Html> {
    let text = '';
    for await (const piece of this.#pieces([])) text += piece;
    return new Html(text);
  }

  toString(): string {
    return this.text;
  }

  /** What is there within a turn of the event loop comes as one piece. */
  [Symbol.asyncIterator](): AsyncIterator<string, void, undefined> {
    const open: AsyncIterator<unknown>[] = [];
    const pieces = coalesced(this.#pieces(open));
    return {
      next: () => this.#made.runInAsyncScope(() => pieces.next()),
      async return() {
        // Not the generator's own way: it would wait for what may never come.
        for (const iterator of open.toReversed()) iterator.return?.().then(undefined, ignore);
        pieces.return().then(undefined, ignore);
        return { done: true, value: undefined };
      },
    };
  }

  /** `open`: what is being iterated, for whoever has to end it. */
  async *#pieces(open: AsyncIterator<unknown>[]): AsyncGenerator<string, void, undefined> {
    const { texts, holes } = this.#plan;
    const values = [...this.#values];
    const before = this.#before;
    yield before;
    for (let index = this.#from; index < holes.length; index += 1) {
      const hole = holes[index] as Hole;
      if (hole.kind === 'text') {
        let isFirst = !hole.isSimple;
        for await (const piece of streamed(values[index], hole, open)) {
          yield isFirst ? adjusted(piece, hole) : piece;
          isFirst &&= piece === '';
        }
      } else {
        for (let at = index; at < index + hole.span; at += 1) values[at] = await settled(values[at]);
        yield show(this.#plan, values, index) as string;
      }
      yield texts[index + 1] as string;
    }
  }
}

markPending(PendingHtml.prototype);

function adopt(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (value instanceof Promise) value.catch(ignore);
  else if (Array.isArray(value)) value.forEach(adopt);
}

function ignore(): void {}

/** The markup of a value between tags, as it comes. */
async function* streamed(
  value: unknown,
  hole: Hole,
  open: AsyncIterator<unknown>[],
): AsyncGenerator<string, void, undefined> {
  const shown = asText(value, hole);
  if (shown !== NOT_YET) yield shown;
  else if (isHtml(value as object)) yield* iterated(value as AsyncIterable<unknown>, null, open);
  else if (isThenable(value)) yield* streamed(await value, hole, open);
  else if (isToCome(value as object)) yield* iterated(value as AsyncIterable<unknown>, hole, open);
  else for (const item of listOf(value as object) ?? []) yield* streamed(item, hole, open);
}

/** `hole`: null when the pieces are markup already. */
async function* iterated(
  source: AsyncIterable<unknown>,
  hole: Hole | null,
  open: AsyncIterator<unknown>[],
): AsyncGenerator<string, void, undefined> {
  const iterator = iteratorOf(source);
  open.push(iterator);
  let isOver = false;
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      if (hole === null) yield next.value as string;
      else yield* streamed(next.value, hole, open);
    }
    isOver = true;
  } catch (error) {
    isOver = true;
    throw error;
  } finally {
    open.splice(open.indexOf(iterator), 1);
    if (!isOver) await iterator.return?.();
  }
}

/** The value with all that has come in it. */
async function settled(value: unknown): Promise<unknown> {
  if (typeof value !== 'object' || value === null) return value;
  if (isHtml(value)) return isPending(value) ? value.whole() : value;
  if (isThenable(value)) return settled(await value);
  if (isToCome(value)) return Promise.all(await Array.fromAsync(value as AsyncIterable<unknown>, settled));
  const list = listOf(value);
  return list === null ? value : Promise.all(list.map(settled));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown }).then === 'function';
}

/** The pieces, those that come within one turn of the event loop as one. */
async function* coalesced(pieces: AsyncGenerator<string, void, undefined>): AsyncGenerator<string, void, undefined> {
  let text = '';
  try {
    for (let next = pieces.next(); ; next = pieces.next()) {
      // Nobody may be left to hear of it.
      next.catch(ignore);
      let result = text === '' ? await next : await withinTurn(next);
      if (result === null) {
        yield text;
        text = '';
        result = await next;
      }
      if (result.done === true) break;
      text += result.value;
      if (text.length < PIECE_MAX_CHARS) continue;
      yield text;
      text = '';
    }
    if (text !== '') yield text;
  } finally {
    await pieces.return();
  }
}

/** What a promise comes to; null if it takes longer than a turn of the event loop. */
async function withinTurn<Value>(promise: Promise<Value>): Promise<Value | null> {
  const turn = Promise.withResolvers<null>();
  const immediate = setImmediate(turn.resolve, null);
  try {
    return await Promise.race([promise, turn.promise]);
  } finally {
    clearImmediate(immediate);
  }
}
