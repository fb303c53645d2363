/** Time: loops, native calls that take long, waiting for ever, and what goes on after the answer. */
import { type Attack, family, returns, time } from './attack.ts';

const CRYPTO = `import crypto from 'node:crypto';`;

export const TIME: readonly Attack[] = family(
  'T',
  [
    time('an endless loop', `for (;;);`, 'cpu'),
    time('an endless regular expression', `return String(/^(a+)+$/.test('a'.repeat(60) + 'b'));`, 'cpu'),
    time(
      'a regular expression whose alternatives overlap',
      `return String(/^(?:a|aa)+$/.test('a'.repeat(80) + 'b'));`,
      'cpu',
    ),
    time('while (true) await null', `for (;;) await null;`, 'cpu'),
    time(
      'promises without an end',
      `await new Promise(function again(resolve) { Promise.resolve().then(() => again(resolve)); });`,
      'cpu',
    ),
    time(
      'ticks without an end',
      `(function again() { process.nextTick(again); })(); return new Promise(() => {});`,
      'cpu',
    ),
    time(
      'immediates without an end',
      `(function again() { setImmediate(again); })(); return new Promise(() => {});`,
      'cpu',
    ),
    time(
      'timers of 0 ms without an end',
      `for (let i = 0; i < 1000; i++) setInterval(() => { for (let n = 0; n < 1e5; n++); }, 0); return new Promise(() => {});`,
      'cpu',
    ),
    time(
      'a sort that never agrees',
      `return String(Array.from({ length: 2000 }, (_, i) => i).sort(function compare() { for (let i = 0; i < 1e6; i++); return Math.random() - 0.5; }).length);`,
      'cpu',
    ),
    time(
      'a proxy without an end',
      `const proxy = new Proxy({}, { get: (target, key, self) => self[key] }); for (;;) try { proxy.x; } catch {}`,
      'cpu',
    ),
    time(
      'indexOf, quadratic and native',
      `const text = 'a'.repeat(1e6); return String((text + 'b' + text).indexOf(text + 'c') + text.replaceAll('aa', 'ab').split('b').join('a').indexOf(text + 'c') + (() => { for (;;) ('a'.repeat(1e6)).indexOf('a'.repeat(5e5) + 'b'); })());`,
      'cpu',
    ),
    time('a BigInt as a text', `return String((3n ** 3_000_000n).toString().length);`, 'cpu', {
      // A fast machine is through with it before the cap.
      statuses: [200, 504],
      codes: [],
      harmsItsCell: true,
    }),
    time('BigInt powers', `let x = 2n; const m = (1n << 8192n) - 1n; for (;;) x = (x ** 3n) % m;`, 'cpu'),
    time(
      'sort of a typed array, again and again',
      `const all = new Float64Array(1e6); for (;;) { for (let i = 0; i < all.length; i++) all[i] = Math.random(); all.sort(); }`,
      'cpu',
    ),
    time(
      'join of a sparse array',
      `const sparse = []; sparse.length = 2 ** 32 - 1; return sparse.join('').length + '';`,
      'cpu',
      { causes: ['cpu', 'wall'], statuses: [200, 504], codes: [] },
    ),
    time(
      'a dense array reversed, by its length alone',
      `return String(Array.prototype.reverse.call({ length: 2 ** 40 }));`,
      'cpu',
      // It takes memory as well.
      { causes: ['cpu', 'heap', 'rss'], statuses: [503, 504], codes: ['LIMIT_CPU', 'LIMIT_HEAP', 'LIMIT_RSS'] },
    ),
    time('pbkdf2 of a minute', `return crypto.pbkdf2Sync('x', 'y', 1e8, 64, 'sha512').toString('hex');`, 'cpu', {
      // One call that nothing interrupts: the kernel tells its time, and it takes its process with it.
      limits: { wallMs: 20_000 },
      harmsItsCell: true,
      prelude: CRYPTO,
    }),
    time('a prime of 4096 bits, again and again', `for (;;) crypto.generatePrimeSync(4096, { safe: true });`, 'cpu', {
      // One call that nothing interrupts: the kernel tells its time, and it takes its process with it.
      limits: { wallMs: 20_000 },
      harmsItsCell: true,
      prelude: CRYPTO,
    }),
    time(
      'a WebAssembly loop',
      `
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11]);
    new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f();`,
      'cpu',
    ),
    time(
      'JSON.stringify with a toJSON without an end',
      `const again = { toJSON: () => ({ again }) }; for (;;) try { JSON.stringify(again); } catch {}`,
      'cpu',
    ),
    time('a lazy expression at every place', `return String(/(?:a|b)*?c/.exec('ab'.repeat(1e6)));`, 'cpu'),
    time('Date in many zones', `for (;;) new Date().toLocaleString('de', { timeZone: 'Asia/Tokyo' });`, 'cpu', {
      // What ICU leaves behind no statistic shows, and it is collected when the loop comes back, which it doesn't.
      statuses: [503, 504],
      codes: ['LIMIT_CPU', 'LIMIT_HEAP'],
      causes: ['cpu', 'rss', 'heap'],
    }),
    time('Atomics.wait', `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return 'woken';`, 'wall'),
    time('a promise that never answers', `return new Promise(() => {});`, 'wall'),
    {
      name: 'a body that never begins',
      code: `return { body: (async function* () { await new Promise(() => {}); })() };`,
      // The connection is cut for its silence. The thread gives up what nobody reads any more, and is free again.
      causes: [],
      statuses: ['cut'],
      limits: { wallMs: 600 },
    },
    time('a thenable that never answers', `return { then() {} };`, 'wall'),
    time('an endless loop in a getter of its answer', `return { get status() { for (;;); } };`, 'cpu'),
    time('an endless loop in a thenable', `return { get then() { for (;;); } };`, 'cpu'),
    time('an endless loop when its error is described', `throw { get message() { for (;;); } };`, 'cpu'),
    {
      name: 'an endless loop after the head of its answer',
      code: `return { body: (async function* () { yield 'first'; for (;;); })() };`,
      causes: ['cpu'],
      // The head may still be in the thread.
      statuses: ['cut', 504],
    },
    {
      name: 'an endless loop after the answer',
      code: `setTimeout(() => { for (;;); }, 20); return 'answered';`,
      causes: ['wall', 'cpu'],
      statuses: [200],
      limits: { wallMs: 600 },
      afterMs: 900,
    },
    {
      name: 'an endless loop when the thread is ended',
      code: `process.on('exit', () => { for (;;); }); process.exit(3);`,
      causes: ['cpu', 'wall', 'crash'],
      statuses: [500, 504],
      limits: { wallMs: 600 },
    },
    {
      name: 'an endless loop at load',
      code: `export default () => 'never'; for (;;);`,
      causes: ['cpu', 'wall'],
      statuses: [503],
      codes: ['SERVLET_LOAD', 'SERVLET_BENCHED'],
      limits: { loadCpuMs: 300 },
      isAllBad: true,
    },
    {
      name: 'a module that never ends to load',
      code: `export default () => 'never'; await new Promise(() => setInterval(() => {}, 1000));`,
      causes: ['wall'],
      statuses: [503],
      codes: ['SERVLET_LOAD', 'SERVLET_BENCHED'],
      limits: { loadTimeoutMs: 600 },
      isAllBad: true,
    },
    returns(
      'Atomics.waitAsync',
      `const { value } = Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); return value;`,
      /^timed-out$/,
    ),
    returns('includes in an array of holes', `return String(new Array(1e6).includes(1));`, /^false$/),
    time(
      'lastIndexOf, quadratic and native',
      `const text = 'a'.repeat(1e6); for (;;) text.lastIndexOf('b' + 'a'.repeat(5e5));`,
      'cpu',
    ),
  ],
  { cpuMs: 250, wallMs: 5000 },
);
