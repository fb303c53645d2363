/** Floods: of console output, of replies, heads and bodies, and of messages to others. */
import { type Attack, denied, family, memory, returns, type Row, time } from './attack.ts';

const WRITE = `import { writeSync } from 'node:fs';`;

/** What only a trusted servlet can send to its cell's main thread, which must go on watching it. */
const toSupervisor = (name: string, code: string, more: Partial<Row> = {}): Row => ({
  name: `to its supervisor: ${name}`,
  code,
  prelude: `import { parentPort } from 'node:worker_threads';`,
  causes: ['heap', 'rss', 'cpu', 'wall', 'abort'],
  statuses: [500, 503, 504],
  profile: 'trusted',
  harmsItsCell: true,
  ...more,
});

export const FLOOD: readonly Attack[] = family(
  'F',
  [
    time('standard output', `for (;;) console.log('x'.repeat(1000));`, 'cpu'),
    time(
      'standard output, a line in each turn',
      `for (;;) { process.stdout.write('x'.repeat(1000) + '\\n'); await null; }`,
      'cpu',
    ),
    time('standard error without an end of line', `for (;;) process.stderr.write('x'.repeat(10_000));`, 'cpu'),
    time(
      'console.table of a large table',
      `const rows = Array.from({ length: 1000 }, (_, i) => ({ i, x: 'x'.repeat(100) })); for (;;) console.table(rows);`,
      'cpu',
    ),
    returns('one line of 30 MB', `console.log('x'.repeat(30e6)); return 'said';`, /^said$/),
    time('warnings', `for (;;) process.emitWarning('x'.repeat(1000));`, 'cpu'),
    {
      name: 'descriptor 1, as a trusted servlet',
      prelude: WRITE,
      code: `const bytes = Buffer.alloc(65536, 120); for (;;) try { writeSync(1, bytes); } catch {}`,
      causes: ['cpu'],
      statuses: [504],
      profile: 'trusted',
    },
    {
      name: 'descriptor 2, as a trusted servlet',
      prelude: WRITE,
      code: `const bytes = Buffer.alloc(65536, 120); for (;;) try { writeSync(2, bytes); } catch {}`,
      causes: ['cpu', 'wall'],
      statuses: [504],
      limits: { wallMs: 800 },
      profile: 'trusted',
    },
    denied('descriptor 1', `writeSync(1, 'x');`, 'SERVLET_DENIED', { prelude: WRITE }),
    denied('descriptor 2', `writeSync(2, 'x');`, 'SERVLET_DENIED', { prelude: WRITE }),
    denied('process._rawDebug', `process._rawDebug('x');`, 'SERVLET_DENIED'),
    denied('a channel to every thread of the process', `new BroadcastChannel('x').postMessage('x');`, 'ReferenceError'),
    denied(
      'messages to another thread by its number',
      `(await import('node:worker_threads')).postMessageToThread(0, 'x');`,
      'SERVLET_DENIED',
    ),
    {
      name: 'a head of 2 MB',
      code: `return { headers: { 'X-Large': 'x'.repeat(2e6) }, body: 'ok' };`,
      causes: [],
      statuses: [500],
      codes: ['SERVLET_ERROR', 'SERVLET_HEADER'],
    },
    {
      name: 'a hundred thousand header lines',
      code: `return { headers: Array.from({ length: 1e5 }, (_, i) => ['X-' + i, 'x']), body: 'ok' };`,
      causes: [],
      statuses: [500],
      codes: ['SERVLET_ERROR', 'SERVLET_HEADER'],
    },
    {
      name: 'a header that splits the response',
      code: `return { headers: { 'X-A': 'a\\r\\nContent-Length: 0\\r\\n\\r\\nHTTP/1.1 200 OK' }, body: 'ok' };`,
      causes: [],
      statuses: [500],
    },
    {
      name: 'a reason that splits the response',
      code: `return { status: 200, statusText: 'OK\\r\\nX: y', body: 'ok' };`,
      causes: [],
      statuses: [500],
    },
    {
      name: 'a body without an end, to a client that does not read',
      code: `return { body: (async function* () { const piece = Buffer.alloc(65536, 120); for (;;) yield piece; })() };`,
      causes: ['cpu', 'wall'],
      statuses: ['cut'],
      limits: { sendTimeoutMs: 700 },
      hasDeafVisitor: true,
      mayLive: true,
    },
    {
      name: 'a body of single bytes without an end, to a client that does not read',
      code: `return { body: (async function* () { for (;;) yield 'x'; })() };`,
      causes: ['cpu', 'wall'],
      statuses: ['cut'],
      limits: { sendTimeoutMs: 700 },
      hasDeafVisitor: true,
      mayLive: true,
    },
    {
      name: 'empty pieces without an end',
      code: `return { body: (async function* () { for (;;) yield ''; })() };`,
      causes: ['cpu', 'wall'],
      statuses: ['cut', 504],
    },
    memory(
      'a body of one piece of 300 MB',
      `return { body: (async function* () { yield Buffer.alloc(300e6, 120); })() };`,
      { statuses: [503, 'cut'], codes: [] },
    ),
    {
      name: 'a body longer than its Content-Length',
      code: `return { headers: { 'Content-Length': '5' }, body: (async function* () { for (let i = 0; i < 100; i++) yield 'hello'; })() };`,
      causes: [],
      statuses: [200, 'cut', 500],
    },
    {
      name: 'a body shorter than its Content-Length',
      code: `return { headers: { 'Content-Length': '50' }, body: (async function* () { yield 'hello'; })() };`,
      causes: [],
      statuses: ['cut'],
    },
    {
      name: 'an error of 100 MB in a timer',
      code: `setTimeout(() => { throw new Error('x'.repeat(100e6)); }); return new Promise(() => {});`,
      causes: ['crash', 'heap', 'rss'],
      statuses: [500, 503],
    },
    {
      name: 'an error with a chain of a million causes',
      code: `let error = new Error('first'); for (let i = 0; i < 1e5; i++) error = new Error('x', { cause: error }); throw error;`,
      causes: ['heap', 'cpu'],
      statuses: [500, 503, 504],
      // Some versions of V8 get through it in time.
      mayLive: true,
    },
    toSupervisor('small messages', `for (;;) parentPort.postMessage({ text: 'x'.repeat(100) });`),
    toSupervisor('messages of 1 MB', `const text = 'x'.repeat(1 << 20); for (;;) parentPort.postMessage(text);`),
    toSupervisor(
      'messages of 1 MB, a few in each turn',
      `const text = 'x'.repeat(1 << 20); for (;;) { for (let i = 0; i < 4; i++) parentPort.postMessage(text); await new Promise((resolve) => setImmediate(resolve)); }`,
    ),
    toSupervisor('a message of 400 MB', `parentPort.postMessage('x'.repeat(4e8)); return 'posted';`, {
      statuses: [200, 500, 503, 504],
    }),
    toSupervisor(
      'a message that is 10 000 deep, again and again',
      `let deep = []; for (let i = 0; i < 1e4; i++) deep = [deep]; for (;;) parentPort.postMessage(deep);`,
    ),
    {
      ...memory(
        'channels by name, as a trusted servlet',
        `for (;;) hoard.push(new BroadcastChannel('x' + hoard.length));`,
      ),
      causes: ['heap', 'rss', 'cpu'],
      statuses: [503, 504],
      codes: [],
      profile: 'trusted',
    },
    {
      ...memory('fetches that are refused', `for (;;) hoard.push(fetch('http://127.0.0.1:9/').catch(() => {}));`),
      causes: ['heap', 'rss', 'cpu'],
      statuses: [503, 504],
      codes: [],
    },
  ],
  { cpuMs: 1000, wallMs: 5000 },
);
