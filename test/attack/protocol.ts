/**
 * The wire: frames and control lines that a servlet forges. A guest has no descriptor to write them to, so that these are
 * trusted servlets: what a guest could do that had got past the walls of its thread.
 */
import { type Attack, denied, family, type Row } from './attack.ts';

const FORGE = `
  import { writeSync } from 'node:fs';
  function frame(type, id, payload) {
    const head = Buffer.alloc(9);
    head.writeUInt32BE(payload.length + 5, 0);
    head[4] = type;
    head.writeUInt32BE(id, 5);
    return Buffer.concat([head, payload]);
  }
  function flood(bytes, fds) {
    for (;;) for (const fd of fds) try { writeSync(fd, bytes); } catch {}
  }
  const CHANNELS = Array.from({ length: 32 }, (_, index) => index + 4);
  const lines = (value) => Buffer.from((JSON.stringify(value) + '\\n').repeat(200));
`;
/** Its requests are the only ones of its thread, so that it knows their numbers. */
const UNBEGUN = `${FORGE}
  import { setTimeout as sleep } from 'node:timers/promises';
  let count = 0;
  function giveBack() {
    for (const fd of CHANNELS) try { writeSync(fd, frame(74, count, Buffer.alloc(0))); } catch {}
  }
`;
/** Floods with bytes that are not the protocol's, or not allowed by it. */
const forged = (name: string, code: string, more: Partial<Row> = {}): Row => ({
  name,
  code,
  prelude: FORGE,
  causes: ['protocol'],
  statuses: [500, 503],
  profile: 'trusted',
  harmsItsCell: true,
  ...more,
});
const control = (name: string, message: string, more: Partial<Row> = {}): Row =>
  forged(`a control line: ${name}`, `flood(lines(${message}), [3]);`, more);

export const PROTOCOL: readonly Attack[] = family('W', [
  forged('junk on every channel', `flood(Buffer.alloc(65536, 0xff), CHANNELS);`, { codes: ['CUSTODIAN_PROTOCOL'] }),
  forged('zeros on every channel', `flood(Buffer.alloc(65536), CHANNELS);`),
  forged(
    'frames of unknown types',
    `flood(Buffer.concat(Array.from({ length: 500 }, (_, i) => frame(200 + (i % 50), i, Buffer.alloc(4)))), CHANNELS);`,
  ),
  forged(
    'frames that never end',
    `flood(Buffer.concat([Buffer.from([0, 16, 0, 0, 65, 0, 0, 0, 1]), Buffer.alloc(60_000)]), CHANNELS);`,
    {
      causes: ['protocol', 'cpu', 'wall'],
      statuses: [500, 503, 504],
    },
  ),
  forged(
    'forged replies',
    `flood(Buffer.concat(Array.from({ length: 500 }, (_, id) => frame(67, id, Buffer.alloc(20)))), CHANNELS);`,
  ),
  forged(
    'heads that split the response',
    `flood(Buffer.concat(Array.from({ length: 500 }, (_, id) => frame(68, id, Buffer.from('\\0\\0\\0\\0\\0\\0\\0\\0X: y\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n')))), CHANNELS);`,
  ),
  forged(
    'frames for requests that are none',
    `flood(Buffer.concat(Array.from({ length: 1000 }, (_, id) => frame(72, id + 1e6, Buffer.alloc(4)))), CHANNELS);`,
  ),
  forged(
    '"ready", again and again',
    `flood(Buffer.concat(Array.from({ length: 1000 }, () => frame(65, 0, Buffer.from('{}')))), CHANNELS);`,
  ),
  forged(
    'chunks before their head',
    `flood(Buffer.concat(Array.from({ length: 100 }, (_, id) => frame(69, id, Buffer.alloc(600)))), CHANNELS);`,
  ),
  forged(
    'a body that nobody granted',
    `
      return { body: (async function* () {
        yield 'begun';
        await new Promise((resolve) => setTimeout(resolve, 50));
        flood(Buffer.concat(Array.from({ length: 100 }, (_, id) => frame(69, id, Buffer.alloc(60_000)))), CHANNELS);
      })() };`,
    {
      // Channels that nobody reads let the thread sleep in a write, which no CPU time shows.
      causes: ['protocol', 'wall'],
      statuses: ['cut'],
      limits: { wallMs: 800 },
      hasDeafVisitor: true,
    },
  ),
  forged(
    'empty log frames',
    `flood(Buffer.concat(Array.from({ length: 7000 }, () => frame(73, 0, Buffer.alloc(0)))), CHANNELS);`,
    {
      causes: ['protocol', 'cpu', 'wall'],
      statuses: [500, 503, 504],
      limits: { wallMs: 800 },
    },
  ),
  forged('log lines of 1 MB', `flood(frame(73, 0, Buffer.alloc((1 << 20) - 16, 120)), CHANNELS);`, {
    causes: ['protocol', 'cpu', 'wall'],
    statuses: [500, 503, 504],
  }),
  forged('junk on the control stream', `flood(Buffer.alloc(65536, 0xff), [3]);`, { codes: ['CUSTODIAN_PROTOCOL'] }),
  forged('a line without an end on the control stream', `flood(Buffer.alloc(65536, 120), [3]);`),
  control('the cell has booted', `{ type: 'booted' }`),
  control('an unknown one', `{ type: 'nothing' }`),
  control('no object', `[1, null, 'x']`),
  control(
    'samples of memory below zero',
    `{ type: 'sample', threads: Array.from({ length: 9 }, (_, lease) => ({ lease, heapBytes: -1e15, offHeapBytes: NaN, unexplainedBytes: 1e15, isStarting: 'x', cpuMs: -1 })) }`,
    {
      causes: ['protocol', 'cpu', 'abort'],
      statuses: [500, 503, 504],
    },
  ),
  control(
    'the death of every thread',
    `Array.from({ length: 40 }, (_, lease) => ({ type: 'exit', lease, running: 0, failure: null }))[1]`,
    {
      causes: ['protocol', 'crash', 'cpu', 'abort', 'wall'],
      statuses: [500, 503, 504],
    },
  ),
  control('a breach of a neighbour', `{ type: 'breach', lease: 1, cause: 'heap', value: 1e99, max: 'x' }`, {
    causes: ['protocol', 'heap', 'cpu', 'abort', 'wall'],
    statuses: [500, 503, 504],
  }),
  control('answers to questions that nobody asked', `{ type: 'revoked', lease: 1, round: 0, last: -1, isOver: 'x' }`, {
    causes: ['protocol', 'cpu', 'abort', 'wall'],
    statuses: [500, 503, 504],
  }),
  denied(
    'its own channel, as a guest',
    `for (const fd of CHANNELS) writeSync(fd, frame(67, 1, Buffer.alloc(20)));`,
    'SERVLET_DENIED',
    { prelude: FORGE },
  ),
  denied('the control stream, as a guest', `writeSync(3, lines({ type: 'booted' }));`, 'SERVLET_DENIED', {
    prelude: FORGE,
  }),
  {
    name: 'forged messages on hidden ports',
    code: `
      const forged = [{ type: 'stdioPayload', stream: 'nobody', chunks: [] }, { type: 'couldNotSerializeError' }, { type: 'x' }, null];
      for (const message of forged) try { parentPort?.postMessage(message); } catch {}
      for (const handle of process._getActiveHandles?.() ?? [])
        for (const message of forged) try { handle.postMessage?.(message); } catch {}
      for (const stream of [process.stdout, process.stderr, process.stdin])
        for (const key of Object.getOwnPropertySymbols(stream))
          for (const message of forged) try { stream[key]?.postMessage?.(message); } catch {}
      await new Promise((resolve) => setTimeout(resolve, 50));
      return 'forged';`,
    prelude: `import { parentPort } from 'node:worker_threads';`,
    causes: ['crash', 'protocol', 'abort'],
    statuses: [200, 500],
    profile: 'trusted',
  },
  forged('holdings that nobody asked for', `flood(frame(76, 0, Buffer.alloc(8)), CHANNELS);`),
  forged(
    'its own request given back unbegun, again and again',
    `const unbegun = Buffer.concat(Array.from({ length: 99 }, (_, id) => frame(74, id + 1, Buffer.alloc(0))));
     for (const fd of CHANNELS) try { writeSync(fd, unbegun); } catch {}
     await new Promise(() => {});`,
    { causes: ['protocol', 'wall', 'abort'], statuses: [500, 503, 504], mayLive: true, limits: { wallMs: 1500 } },
  ),
  forged(
    'a request given back unbegun that nobody asked for, each time that it comes',
    `count++;
     giveBack();
     await sleep(20);
     return 'for nobody';`,
    { prelude: UNBEGUN, isAllBad: true },
  ),
  forged(
    'the head of an answer, and its request given back unbegun',
    `if (++count > 1) await new Promise(() => {});
     return { body: (async function* () {
       yield 'begun';
       await sleep(50);
       giveBack();
     })() };`,
    { prelude: UNBEGUN, isAllBad: true, statuses: ['cut'] },
  ),
  control('threads in native calls that nobody ends', `{ type: 'stuck', lease: 1 }`, {
    causes: ['protocol', 'cpu', 'abort', 'wall'],
    statuses: [500, 503, 504],
  }),
]);
