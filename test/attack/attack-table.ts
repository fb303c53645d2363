import type { DeathCause, Limits, Profile } from '../../packages/host/src/index.ts';

/** Something that a servlet does to its host, and how it must end. */
export interface Attack {
  name: string;
  /** Body of an async function of `request`; or the whole module, when it begins with `export`. */
  code: string;
  /** Code beside it in the module. */
  prelude?: string;
  /** What its obituary may say; empty: nobody dies. */
  causes: readonly DeathCause[];
  /** What its client may get; `cut`: the connection ends without a page. */
  statuses: readonly (number | 'cut')[];
  /** Codes of docs/errors.md, one of which the page must name. */
  codes?: readonly string[];
  /** What stands on the page besides. */
  page?: string;
  /** Default: guest alone. */
  profiles?: readonly Profile[];
  /** Whoever shares a cell with it can't be told from it: forged frames come out of its channel. */
  harmsItsCell?: boolean;
  /** Beside those of the host under attack: 50 MB, 600 ms of CPU time, 8 s. */
  limits?: Partial<Limits>;
  /** Its visitor stops reading when the answer has begun. */
  hasDeafVisitor?: boolean;
  /** The servlet has no healthy route. */
  isAllBad?: boolean;
  /** It is left this long after its answer to do what it has prepared. */
  afterMs?: number;
}

const BOTH: readonly Profile[] = ['guest', 'trusted'];

/** Ends by the cap on memory: the thread's, or the wall of its process. */
const memory = (name: string, code: string, prelude = ''): Attack => ({
  name,
  code,
  prelude,
  causes: ['heap', 'rss'],
  statuses: [503],
  codes: ['LIMIT_HEAP', 'LIMIT_RSS'],
});

/** Ends by a clock. */
const time = (name: string, code: string, cause: 'cpu' | 'wall'): Attack => ({
  name,
  code,
  causes: [cause],
  statuses: [504],
  codes: [cause === 'cpu' ? 'LIMIT_CPU' : 'LIMIT_WALL'],
  limits: cause === 'wall' ? { wallMs: 800 } : {},
});

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
`;

export const ATTACKS: readonly Attack[] = [
  // Memory in V8's heap.
  memory(
    "the tutorial's many, 50 000 000 times",
    `const hellos = []; for (let i = 0; i < 50_000_000; i++) hellos.push(' hello'); return ['html', ['body', ...hellos]];`,
  ),
  memory('Array.from({ length: 1e8 })', `return String(Array.from({ length: 1e8 }, (_, i) => ({ i })).length);`),
  memory('new Array(1e9).fill(0)', `return String(new Array(1e9).fill(0).length);`),
  memory('a Map that grows', `const map = new Map(); for (let i = 0; ; i++) map.set(i, i);`),
  memory('spread doubling', `let a = [1, 2, 3, 4]; for (;;) a = [...a, ...a];`),
  memory('JSON.parse of 200 MB', `return String(JSON.parse('[' + '0,'.repeat(100e6) + '0]').length);`),
  memory('strings that grow', `const hoard = []; for (;;) hoard.push(Buffer.alloc(1 << 20, 97).toString('latin1'));`),
  memory('closures in timers', `for (;;) setTimeout(() => {}, 1e6, new Array(100).fill(0));`),
  // Memory beside it.
  memory('Buffer growth', `const hoard = []; for (;;) hoard.push(Buffer.alloc(1 << 20, 1));`),
  memory('one Buffer of 2 GB', `return String(Buffer.alloc(2 ** 31, 1).length);`),
  memory(
    'ArrayBuffer growth',
    `const hoard = []; for (;;) hoard.push(new Uint8Array(new ArrayBuffer(1 << 20)).fill(1));`,
  ),
  memory(
    'SharedArrayBuffer growth',
    `const hoard = []; for (;;) hoard.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));`,
  ),
  memory(
    'wasm memory growth',
    `const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
     for (;;) { const pages = memory.grow(16); new Uint8Array(memory.buffer).fill(1, pages * 65536); }`,
  ),
  memory('Blob growth', `const hoard = []; for (;;) hoard.push(new Blob([Buffer.alloc(1 << 20, 1)]));`),
  memory(
    'allocation, a little in each turn',
    `const hoard = []; for (;;) { hoard.push(Buffer.alloc(1 << 20, 1)); await new Promise((resolve) => setImmediate(resolve)); }`,
  ),
  // Time.
  time('an endless loop', `for (;;);`, 'cpu'),
  time('an endless regular expression', `return String(/^(a+)+$/.test('a'.repeat(60) + 'b'));`, 'cpu'),
  time('while (true) await null', `for (;;) await null;`, 'cpu'),
  time('Atomics.wait', `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return 'woken';`, 'wall'),
  time('a promise that never answers', `return new Promise(() => {});`, 'wall'),
  time('an endless loop in a getter of its answer', `return { get status() { for (;;); } };`, 'cpu'),
  {
    name: 'an endless loop after the head of its answer',
    code: `return { body: (async function* () { yield 'first'; for (;;); })() };`,
    causes: ['cpu'],
    // The head may still be in the thread.
    statuses: ['cut', 504],
  },
  // More of itself.
  {
    name: 'a nested worker with a bigger cap, as a guest',
    code: `new Worker('for (const hoard = [];;) hoard.push(new Array(1e5).fill(0))', { eval: true }); return new Promise(() => {});`,
    prelude: `import { Worker } from 'node:worker_threads';`,
    causes: [],
    statuses: [500],
    codes: ['SERVLET_ERROR'],
  },
  {
    name: 'a nested worker with a bigger cap',
    code: `
      const worker = new Worker('for (const hoard = [];;) hoard.push(new Array(1e5).fill(0))', {
        eval: true, resourceLimits: { maxOldGenerationSizeMb: 4000 },
      });
      worker.on('error', () => {});
      return new Promise(() => {});`,
    prelude: `import { Worker } from 'node:worker_threads';`,
    causes: ['heap', 'rss'],
    statuses: [503],
    codes: ['LIMIT_HEAP', 'LIMIT_RSS'],
    profiles: ['trusted'],
  },
  {
    name: '200 child processes, as a guest',
    code: `for (let i = 0; i < 200; i++) spawn('sleep', ['300.0625']); return 'spawned';`,
    prelude: `import { spawn } from 'node:child_process';`,
    causes: [],
    statuses: [500],
    codes: ['SERVLET_ERROR'],
  },
  {
    name: '200 child processes',
    code: `for (let i = 0; i < 200; i++) spawn('sleep', ['300.0625'], { stdio: 'ignore' }); for (;;);`,
    prelude: `import { spawn } from 'node:child_process';`,
    causes: ['cpu'],
    statuses: [504],
    codes: ['LIMIT_CPU'],
    profiles: ['trusted'],
  },
  {
    name: 'a child that leaves its process group',
    code: `spawn('sleep', ['1.0625'], { detached: true, stdio: 'ignore' }); process.exit(1);`,
    prelude: `import { spawn } from 'node:child_process';`,
    causes: ['crash'],
    statuses: [500],
    codes: ['SERVLET_CRASH'],
    profiles: ['trusted'],
  },
  // Ends.
  {
    name: 'process.exit',
    code: `process.exit(3);`,
    causes: ['crash'],
    statuses: [500],
    codes: ['SERVLET_CRASH'],
    profiles: BOTH,
  },
  {
    name: 'process.abort',
    code: `process.abort();`,
    causes: [],
    statuses: [500],
    codes: ['SERVLET_ERROR'],
    profiles: BOTH,
  },
  {
    name: 'process.kill of itself',
    code: `process.kill(process.pid, 'SIGKILL'); for (;;);`,
    causes: ['abort'],
    statuses: [500],
    codes: ['SERVLET_ABORT'],
    profiles: ['trusted'],
  },
  {
    name: 'signals to its host, as a guest',
    code: `
      const senders = [process.kill, kill, (pid, signal) => process._kill(pid, 9), (pid) => process._debugProcess(pid)];
      const errors = senders.map((send) => { try { send(process.ppid, 'SIGKILL'); return 'sent'; } catch (error) { return error.code; } });
      const replaced = Reflect.defineProperty(process, '_kill', { value: () => 0 });
      throw new Error(errors.join() + replaced);`,
    prelude: `import { kill } from 'node:process';`,
    causes: [],
    statuses: [500],
    page: 'ERR_ACCESS_DENIED,ERR_ACCESS_DENIED,ERR_ACCESS_DENIED,ERR_ACCESS_DENIEDfalse',
  },
  {
    name: 'a promise rejected unhandled',
    code: `Promise.reject(new Error('nobody catches this')); return new Promise(() => {});`,
    causes: ['crash'],
    statuses: [500],
    codes: ['SERVLET_CRASH'],
  },
  {
    name: 'a throw in a timer',
    code: `setTimeout(() => { throw new Error('nobody catches this'); }); return new Promise(() => {});`,
    causes: ['crash'],
    statuses: [500],
    codes: ['SERVLET_CRASH'],
  },
  {
    name: 'a throw of a huge error in a timer',
    code: `setTimeout(() => { throw new Error('x'.repeat(100e6)); }); return new Promise(() => {});`,
    causes: ['crash', 'heap', 'rss'],
    statuses: [500, 503],
  },
  {
    name: 'V8 flags that abort',
    code: `setFlagsFromString('--allow-natives-syntax'); new Function('%SystemBreak()')(); return 'unbroken';`,
    prelude: `import { setFlagsFromString } from 'node:v8';`,
    causes: ['abort'],
    statuses: [500],
    codes: ['SERVLET_ABORT'],
  },
  {
    name: 'its descriptors closed',
    code: `for (let fd = 3; fd < 64; fd++) try { closeSync(fd); } catch {} for (;;);`,
    prelude: `import { closeSync } from 'node:fs';`,
    causes: ['abort', 'crash', 'cpu'],
    statuses: [500, 503, 504],
    harmsItsCell: true,
  },
  // Floods.
  time('a flood of standard output', `for (;;) console.log('x'.repeat(1000));`, 'cpu'),
  time(
    'a flood of standard output, a line in each turn',
    `for (;;) { process.stdout.write('x'.repeat(1000) + '\\n'); await null; }`,
    'cpu',
  ),
  {
    name: 'a flood of descriptor 1',
    prelude: FORGE,
    code: `flood(Buffer.alloc(65536, 120), [1]);`,
    causes: ['cpu'],
    statuses: [504],
    profiles: BOTH,
  },
  {
    name: 'a flood of descriptor 2',
    prelude: FORGE,
    code: `flood(Buffer.alloc(65536, 120), [2]);`,
    causes: ['cpu', 'wall'],
    statuses: [504],
    limits: { wallMs: 1000 },
    profiles: BOTH,
  },
  {
    name: 'junk on every channel',
    prelude: FORGE,
    code: `flood(Buffer.alloc(65536, 0xff), CHANNELS);`,
    causes: ['protocol'],
    statuses: [500],
    codes: ['CUSTODIAN_PROTOCOL'],
    harmsItsCell: true,
    profiles: BOTH,
  },
  {
    name: 'junk on the control stream',
    prelude: FORGE,
    code: `flood(Buffer.alloc(65536, 0xff), [3]);`,
    causes: ['protocol'],
    statuses: [500],
    codes: ['CUSTODIAN_PROTOCOL'],
    harmsItsCell: true,
  },
  {
    name: 'forged replies on every channel',
    prelude: FORGE,
    code: `flood(Buffer.concat(Array.from({ length: 500 }, (_, id) => frame(67, id, Buffer.alloc(20)))), CHANNELS);`,
    causes: ['protocol'],
    statuses: [500],
    harmsItsCell: true,
    profiles: BOTH,
  },
  {
    name: 'frames for requests that are none',
    prelude: FORGE,
    code: `flood(Buffer.concat(Array.from({ length: 1000 }, (_, id) => frame(72, id + 1e6, Buffer.alloc(4)))), CHANNELS);`,
    causes: ['protocol'],
    statuses: [500],
    harmsItsCell: true,
  },
  {
    name: 'a body that nobody granted',
    prelude: FORGE,
    code: `
      return { body: (async function* () {
        yield 'begun';
        await new Promise((resolve) => setTimeout(resolve, 50));
        const chunks = Buffer.concat(Array.from({ length: 100 }, (_, id) => frame(69, id, Buffer.alloc(60_000))));
        flood(chunks, CHANNELS);
      })() };`,
    // Channels that nobody reads let the thread sleep in a write, which no CPU time shows.
    causes: ['protocol', 'wall'],
    statuses: ['cut'],
    limits: { wallMs: 1000 },
    hasDeafVisitor: true,
    harmsItsCell: true,
  },
  {
    name: 'empty log frames',
    prelude: FORGE,
    code: `flood(Buffer.concat(Array.from({ length: 7000 }, () => frame(73, 0, Buffer.alloc(0)))), CHANNELS);`,
    causes: ['protocol', 'cpu', 'wall'],
    statuses: [500, 504],
    limits: { wallMs: 1000 },
    harmsItsCell: true,
  },
  {
    name: 'forged messages on hidden ports',
    code: `
      const forged = [{ type: 'stdioPayload', stream: 'nobody', chunks: [] }, { type: 'couldNotSerializeError' }, { type: 'x' }, null];
      for (const message of forged) try { parentPort?.postMessage(message); } catch {}
      for (const handle of process._getActiveHandles?.() ?? [])
        for (const message of forged) try { handle.postMessage?.(message); } catch {}
      const port = process.stdout.constructor && Object.getOwnPropertySymbols(process.stdout).map((key) => process.stdout[key]);
      for (const hidden of port ?? []) for (const message of forged) try { hidden?.postMessage?.(message); } catch {}
      return 'forged';`,
    prelude: `import { parentPort } from 'node:worker_threads';`,
    causes: ['crash', 'protocol', 'abort'],
    statuses: [200, 500],
  },
  // After the answer.
  {
    name: 'allocation after the answer',
    code: `setTimeout(() => { for (const hoard = [];;) hoard.push(Buffer.alloc(1 << 20, 1)); }, 20); return 'answered';`,
    causes: ['heap', 'rss'],
    statuses: [200],
    afterMs: 1500,
  },
  {
    name: 'an endless loop after the answer',
    code: `setTimeout(() => { for (;;); }, 20); return 'answered';`,
    causes: ['wall', 'cpu'],
    statuses: [200],
    limits: { wallMs: 1000 },
    afterMs: 1300,
  },
  // From the start.
  {
    name: 'death at load',
    code: `export default () => 'never'; process.exit(5);`,
    causes: ['crash'],
    statuses: [503],
    codes: ['SERVLET_LOAD', 'SERVLET_BENCHED'],
    isAllBad: true,
  },
  {
    name: 'an endless loop at load',
    code: `export default () => 'never'; for (;;);`,
    causes: ['cpu', 'wall'],
    statuses: [503],
    codes: ['SERVLET_LOAD', 'SERVLET_BENCHED'],
    isAllBad: true,
  },
];
