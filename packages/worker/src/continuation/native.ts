import { Continuation, type Outcome, type PageMaker, type Parked } from './continuation.ts';
import { nativeOneShot, SUSPEND_FIRST, UnsafeContextError } from './errors.ts';
import { current, type NativePart, type Run, storage, type Store } from './run.ts';
import { trace, traceAgain } from './trace.ts';

/**
 * Runs code that cannot be captured. A capture inside parks the native stack instead: the page goes out, and resuming settles the
 * promise. Such a continuation lives in this thread's memory and can be resumed once. What settles while the page is out is given when
 * it is answered.
 */
export function native<Value>(thunk: () => Value | Promise<Value>): Promise<Value> {
  let store: Store;
  try {
    store = current('run a native part');
  } catch (error) {
    return Promise.reject(error as Error);
  }
  const { run } = store;
  const nativeAt = { trace: null };
  trace(nativeAt);
  const part: NativePart = { outer: store.part ?? null, parked: null };
  return storage.run({ ...store, isNative: true, nativeAt: nativeAt.trace, part }, async () => {
    try {
      return await thunk();
    } finally {
      // A race, say, that is won while a page of another branch is out: what follows belongs to the request that answers the page.
      while (part.parked !== null && !part.parked.isUsed) await run.resting;
    }
  });
}

/** Leaves the native stack waiting, and lets the run come to rest with a continuation that holds it. */
export function park(store: Store, make: PageMaker): Promise<unknown> {
  const { run } = store;
  const refusal = refusalOf(run);
  if (refusal !== null) {
    run.refused(refusal);
    return Promise.reject(refusal);
  }
  return new Promise((resolve, reject) => {
    const parked: Parked = {
      run,
      isUsed: false,
      calledAt: store.nativeAt ?? null,
      settle: (value, isError) => {
        if (isError) reject(value as Error);
        else resolve(value);
      },
    };
    // Not others of the run: the page's maker may have a native part of its own.
    for (let part = store.part ?? null; part !== null; part = part.outer) part.parked = parked;
    run.rest({ kind: 'captured', continuation: new Continuation(null, store.bindings, parked), make });
  });
}

/** Why the run can't come to rest here; null: it can. */
function refusalOf(run: Run): UnsafeContextError | null {
  const isTaken = run.isOver || run.isEnding;
  if (!isTaken && !run.isLeaving) return null;
  const signal = { frames: [], trace: null };
  trace(signal);
  return isTaken
    ? new UnsafeContextError(
        signal,
        null,
        run.isOver && run.resting === null
          ? 'its request has been answered already'
          : 'another branch of the native part has suspended already; branches can suspend one after the other',
      )
    : new UnsafeContextError(
        signal,
        null,
        'the servlet is leaving (by sendBack or sendFinish, say), and this runs in a finally block for that, or beside it; its response is given, and no page can take its place',
        { wayOut: SUSPEND_FIRST },
      );
}

/** Lets the native stack go on; the run then comes to rest once more. */
export function unpark(parked: Parked, value: unknown, isError: boolean, context: unknown): Promise<Outcome> {
  if (parked.isUsed) {
    traceAgain();
    return Promise.reject(nativeOneShot(parked.calledAt));
  }
  parked.isUsed = true;
  return new Promise((resolve, reject) => {
    parked.run.waitAgain(context, { resolve, reject });
    parked.settle(value, isError);
  });
}
