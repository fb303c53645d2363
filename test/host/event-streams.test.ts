import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { StartedHost } from '../support/started-host.ts';

const EVENTS = `
  import { once } from 'node:events';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { eventStream, json } from '@custodian/worker';
  let made = 0, ended = 0;
  async function* ticks(first, count, bytes, waitMs) {
    try {
      for (let n = first; n < first + count; n++) {
        made++;
        yield { id: String(n), event: 'tick', data: bytes === 0 ? String(n) : 'x'.repeat(bytes), retryMs: 20 };
        if (waitMs > 0) await sleep(waitMs);
      }
    } finally { ended++; }
  }
  async function* quiet(signal) {
    made++;
    try { yield 'begun'; if (!signal.aborted) await once(signal, 'abort'); } finally { ended++; }
  }
  export default (request) => {
    const asked = (name, other) => Number(request.query.get(name) ?? other);
    if (request.query.has('state')) return json({ made, ended });
    if (request.query.has('reset')) return json({ made: made = 0, ended: ended = 0 });
    if (request.query.has('quiet')) return eventStream(quiet(request.signal), { heartbeatMs: asked('heartbeat', 0) });
    const first = Number(request.header('last-event-id') ?? 0) + 1;
    return eventStream(ticks(first, asked('count', Infinity), asked('bytes', 0), asked('wait', 0)));
  };`;

interface State {
  made: number;
  ended: number;
}

let started: StartedHost;
beforeAll(async () => {
  const heldAs = {
    events: { unit: 'servlet' },
    alone: { unit: 'connection', spareThreads: 0, limits: { threadsMaxCount: 1 } },
  } as const;
  started = await StartedHost.start({ events: EVENTS, alone: EVENTS }, { limits: { sendTimeoutMs: 1500 } }, heldAs);
  await started.warm('/events?state', '/alone?state');
}, 60_000);
afterAll(() => started[Symbol.asyncDispose]());

const ask = async (path: string): Promise<State> => (await fetch(`${started.url}${path}`)).json() as Promise<State>;
const state = (): Promise<State> => ask('/events?state');
const ended = (count: number): Promise<State> =>
  eventually(state, (found) => found.ended === count, { ms: 15_000, what: 'the end of the generators' });

async function listen(path: string): ReturnType<StartedHost['connect']> {
  const client = await started.connect();
  client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`);
  return client;
}

describe('live event streams', () => {
  it('a client that never reads makes the servlet wait, costs a bounded number of bytes, and is cut at sendTimeoutMs', async () => {
    await ask('/events?reset');
    const bytes = 65_536;
    const deaf = await Promise.all(Array.from({ length: 5 }, () => listen(`/events?bytes=${bytes}`)));
    for (const client of deaf) client.socket.pause();
    await eventually(state, ({ made }) => made > deaf.length, { ms: 15_000 });
    // The streams end, though nobody asks for their end: their clocks have run out.
    const { made } = await ended(deaf.length);
    // The kernel takes some MB on the way to each; the windows of host and thread are 256 KB each.
    expect((made * bytes) / deaf.length).toBeLessThan(16 * 1024 * 1024);
    await sleep(100);
    expect((await state()).made).toBe(made);
    expect(started.host.ledger.obituaries).toEqual([]);
    for (const client of deaf) client.destroy();
  });

  it('a client that reads slowly gets every event, and is not cut', async () => {
    await ask('/events?reset');
    const client = await listen('/events?bytes=40000&count=200');
    for (let pause = 0; pause < 6; pause++) {
      client.socket.pause();
      await sleep(400);
      client.socket.resume();
      await sleep(20);
    }
    const { body } = await client.response();
    expect(body.toString().match(/^id: (\d+)$/gm)).toHaveLength(200);
    expect(body.toString().endsWith('\n\n')).toBe(true);
    expect(await state()).toEqual({ made: 200, ended: 1 });
  });

  it('when a client leaves, the finally of its generator runs, and no other', async () => {
    await ask('/events?reset');
    const [stays, leaves] = [await listen('/events?wait=20'), await listen('/events?wait=20')];
    await eventually(
      () => Math.min(stays.receivedBytes, leaves.receivedBytes),
      (least) => least > 300,
      { ms: 15_000 },
    );
    leaves.destroy();
    await ended(1);
    const before = stays.receivedBytes;
    await eventually(
      () => stays.receivedBytes,
      (now) => now > before + 200,
    );
    expect((await state()).ended).toBe(1);
    stays.destroy();
    await ended(2);
  });

  it('a quiet stream ends when its client leaves: by request.signal, which it waits for', async () => {
    await ask('/events?reset');
    const client = await listen('/events?quiet');
    await eventually(
      () => client.receivedBytes,
      (bytes) => bytes > 0,
      { ms: 15_000 },
    );
    expect(await state()).toEqual({ made: 1, ended: 0 });
    client.destroy();
    expect(await ended(1)).toEqual({ made: 1, ended: 1 });
  });

  it('a quiet stream has comments sent, and is not taken for dead by sendTimeoutMs', async () => {
    const client = await listen('/events?quiet&heartbeat=100');
    await eventually(
      () => client.receivedBytes,
      (bytes) => bytes > 300,
      { ms: 15_000 },
    );
    await sleep(2000);
    expect(client.isEnded).toBe(false);
    client.destroy();
  });

  it('a thread whose listener has left answers the next one', async () => {
    for (let times = 0; times < 3; times++) {
      const client = await listen('/alone?wait=10');
      await eventually(
        () => client.receivedBytes,
        (bytes) => bytes > 300,
        { ms: 15_000 },
      );
      client.destroy();
    }
    expect((await ask('/alone?state')).made).toBeGreaterThan(3);
    expect(started.host.ledger.obituaries).toEqual([]);
  });

  it('an EventSource comes again with Last-Event-ID, and misses nothing', async () => {
    const source = new EventSource(`${started.url}/events?count=3`);
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    source.addEventListener('tick', (event) => {
      seen.push(`${(event as MessageEvent).lastEventId}:${String((event as MessageEvent).data)}`);
      if (seen.length === 8) resolve();
    });
    await promise;
    source.close();
    expect(seen.slice(0, 8)).toEqual(['1:1', '2:2', '3:3', '4:4', '5:5', '6:6', '7:7', '8:8']);
  });
});
