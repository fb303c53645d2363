import { describe, expect, it } from 'vitest';
import { type Closable, Custodian, CustodianShutError } from '../../packages/host/src/index.ts';

/** Something that says in a list when it is closed. */
function thing(label: string, closed: string[], error?: Error): Closable {
  return {
    label,
    close: () => {
      closed.push(label);
      if (error !== undefined) throw error;
    },
  };
}

describe('Custodian', () => {
  it('Custodian closes newest first, children in their place', async () => {
    const closed: string[] = [];
    const root = new Custodian('root', null);
    root.own(thing('first', closed));
    const child = new Custodian('child', root);
    child.own(thing('in child, first', closed));
    child.own(thing('in child, second', closed));
    root.own(thing('last', closed));
    expect(root.describe()).toEqual(['first', 'child', '  in child, first', '  in child, second', 'last']);
    await root.shutdownAll();
    expect(closed).toEqual(['last', 'in child, second', 'in child, first', 'first']);
    expect([root.describe(), child.describe(), child.isShut]).toEqual([[], [], true]);
  });

  it('Custodian begins to close everything at once, and waits for the slowest', async () => {
    const root = new Custodian('root', null);
    const begun: string[] = [];
    const slow = Promise.withResolvers<void>();
    root.own({ label: 'quick', close: () => void begun.push('quick') });
    root.own({
      label: 'slow',
      close: () => {
        begun.push('slow');
        return slow.promise;
      },
    });
    let isDone = false;
    const closing = root.shutdownAll().then(() => (isDone = true));
    expect(begun).toEqual(['slow', 'quick']);
    await Promise.resolve();
    expect(isDone).toBe(false);
    slow.resolve();
    await closing;
    expect(isDone).toBe(true);
  });

  it('Custodian closes at once what comes when it is shut', async () => {
    const closed: string[] = [];
    const root = new Custodian('root', null);
    // Of those that close with it, too: one that registers something more as it closes.
    let refusal: unknown = null;
    root.own({
      label: 'late',
      close: () => {
        try {
          root.own(thing('too late', closed));
        } catch (error) {
          refusal = error;
        }
      },
    });
    await root.shutdownAll();
    expect(refusal).toBeInstanceOf(CustodianShutError);
    expect(() => root.own(thing('later', closed))).toThrow('Cannot hold later: custodian "root" is shut');
    expect(() => new Custodian('child', root)).toThrow(CustodianShutError);
    expect(closed).toEqual(['too late', 'later']);
    expect(root.describe()).toEqual([]);
  });

  it('Custodian tries everything, and throws all that went wrong', async () => {
    const closed: string[] = [];
    const root = new Custodian('root', null);
    root.own(thing('good', closed));
    root.own(thing('bad', closed, new Error('one')));
    root.own({ label: 'worse', close: () => Promise.reject(new Error('two')) });
    const error: unknown = await root.shutdownAll().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors.map(String).sort()).toEqual(['Error: one', 'Error: two']);
    expect(closed).toEqual(['bad', 'good']);
    expect(root.describe()).toEqual([]);
  });

  it('Custodian shuts down once, and leaves its parent', async () => {
    const closed: string[] = [];
    const root = new Custodian('root', null);
    const child = new Custodian('child', root);
    child.own(thing('it', closed));
    expect(child.shutdownAll()).toBe(child.shutdownAll());
    await child.close();
    expect([closed, root.describe(), root.isShut]).toEqual([['it'], [], false]);
  });

  it('Custodian lets go of what was disowned', async () => {
    const closed: string[] = [];
    const root = new Custodian('root', null);
    const it = root.own(thing('it', closed));
    root.disown(it);
    await root.shutdownAll();
    expect(closed).toEqual([]);
  });

  it('Custodian.run() makes it the one that new ones are made in', async () => {
    const root = new Custodian('root', null);
    const child = await root.run(async () => {
      await Promise.resolve();
      expect(Custodian.current).toBe(root);
      return new Custodian('child');
    });
    expect([root.managed(), Custodian.current]).toEqual([[child], undefined]);
    await root.shutdownAll();
  });

  it('Custodian.limitMemory() shuts down the one that is over, and nobody else', async () => {
    const closed: string[] = [];
    const root = new Custodian('root', null);
    const [greedy, modest] = [new Custodian('greedy', root), new Custodian('modest', root)];
    let bytes = 10;
    greedy.own({ ...thing('hoard', closed), memoryUse: () => bytes });
    modest.own({ ...thing('purse', closed), memoryUse: () => 10 });
    greedy.limitMemory(50);
    modest.limitMemory(50);
    expect([root.memoryUse(), root.enforceMemory()]).toEqual([20, []]);
    bytes = 51;
    expect(root.enforceMemory()).toEqual([greedy]);
    await greedy.shutdownAll();
    expect([closed, root.describe()]).toEqual([['hoard'], ['modest', '  purse']]);
    await root.shutdownAll();
  });

  it('Custodian is disposed of by await using', async () => {
    const closed: string[] = [];
    {
      await using root = new Custodian('root', null);
      root.own(thing('it', closed));
    }
    expect(closed).toEqual(['it']);
  });
});
