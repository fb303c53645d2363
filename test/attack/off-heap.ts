/** Memory beside V8's heap: of buffers, WebAssembly, queues, and what native objects hold. */
import { type Attack, family, memory, returns } from './attack.ts';

const CRYPTO = { prelude: `import crypto from 'node:crypto';` };
const ZLIB = { prelude: `import zlib from 'node:zlib';` };

/** Pages of memory come slowly on a busy machine: the clocks are not what is tried. */
const UNHURRIED = { limits: { cpuMs: 20_000, wallMs: 20_000 } };

export const OFF_HEAP: readonly Attack[] = family(
  'M',
  [
    memory('Buffer growth', `for (;;) hoard.push(Buffer.alloc(1 << 20, 1));`),
    memory('Buffer growth, untouched', `for (;;) hoard.push(Buffer.allocUnsafeSlow(1 << 20));`),
    memory('small Buffers of the pool', `for (;;) hoard.push(Buffer.from('x'.repeat(100)));`),
    memory('one Buffer of 2 GB', `return String(Buffer.alloc(2 ** 31, 1).length);`),
    memory('ArrayBuffer growth', `for (;;) hoard.push(new Uint8Array(new ArrayBuffer(1 << 20)).fill(1));`),
    memory(
      'a resizable ArrayBuffer',
      `const buffer = new ArrayBuffer(0, { maxByteLength: 2 ** 31 }); for (let n = 1 << 20; ; n += 1 << 20) { buffer.resize(n); new Uint8Array(buffer).fill(1, n - (1 << 20)); }`,
    ),
    memory('SharedArrayBuffer growth', `for (;;) hoard.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));`),
    memory(
      'a growable SharedArrayBuffer',
      `const buffer = new SharedArrayBuffer(0, { maxByteLength: 2 ** 31 }); for (let n = 1 << 20; ; n += 1 << 20) { buffer.grow(n); new Uint8Array(buffer).fill(1, n - (1 << 20)); }`,
    ),
    memory('typed arrays of doubles', `for (;;) hoard.push(new Float64Array(1 << 17).fill(Math.PI));`),
    memory('copies by slice', `const one = new Uint8Array(1 << 20).fill(1); for (;;) hoard.push(one.slice());`),
    memory(
      'wasm memory growth',
      `
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    for (;;) { const pages = memory.grow(16); new Uint8Array(memory.buffer).fill(1, pages * 65536); }`,
    ),
    memory(
      'many wasm memories',
      `for (;;) { const memory = new WebAssembly.Memory({ initial: 16 }); new Uint8Array(memory.buffer).fill(1); hoard.push(memory); }`,
    ),
    memory(
      'shared wasm memory growth',
      `
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 32768, shared: true });
    for (;;) { const pages = memory.grow(16); new Uint8Array(memory.buffer).fill(1, pages * 65536); }`,
    ),
    memory(
      'wasm tables',
      `for (;;) hoard.push(new WebAssembly.Table({ element: 'externref', initial: 100_000 }, {}));`,
    ),
    memory(
      'wasm modules',
      `
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 0, 244, 3, 1, 97, ...new Array(498).fill(1)]);
    for (;;) hoard.push(new WebAssembly.Module(bytes));`,
    ),
    memory('strings outside of the heap', `for (;;) hoard.push(Buffer.alloc(2 << 20, 97).toString('ucs2'));`),
    memory('Blob growth', `for (;;) hoard.push(new Blob([Buffer.alloc(1 << 20, 1)]));`),
    memory('File growth', `for (;;) hoard.push(new File([new Uint8Array(1 << 20).fill(1)], 'name'));`),
    memory('bodies of responses', `for (;;) hoard.push(new Response(Buffer.alloc(1 << 20, 1)));`),
    memory(
      'form data',
      `const form = new FormData(); for (let i = 0; ; i++) form.append('name' + i, 'x'.repeat(1000) + i);`,
    ),
    memory(
      'TextEncoder',
      `const encoder = new TextEncoder(); const text = 'é'.repeat(1 << 19); for (;;) hoard.push(encoder.encode(text));`,
    ),
    memory('TextDecoder objects', `for (;;) hoard.push(new TextDecoder('utf-16le'));`),
    memory(
      'streams with queues',
      `for (;;) hoard.push(new ReadableStream({ start(controller) { for (let i = 0; i < 10; i++) controller.enqueue(new Uint8Array(100_000).fill(1)); } }, { highWaterMark: 1e9 }));`,
    ),
    memory(
      'the queue of a MessagePort',
      `const { port1 } = new MessageChannel(); for (;;) port1.postMessage(new Uint8Array(1 << 20).fill(1));`,
    ),
    memory(
      'small messages to itself',
      `const { port1, port2 } = new MessageChannel(); port2.onmessage = () => {}; for (let i = 0; ; i++) port1.postMessage({ i, text: 'x'.repeat(100) });`,
    ),
    memory('message channels', `for (;;) hoard.push(new MessageChannel());`),
    memory(
      'structuredClone of buffers',
      `const one = new Uint8Array(1 << 20).fill(1); for (;;) hoard.push(structuredClone(one));`,
    ),
    memory(
      'v8.serialize that amplifies',
      `const one = 'x'.repeat(1e6) + Date.now(); for (;;) hoard.push(serialize(Array.from({ length: 100 }, (_, i) => one + i)));`,
      {
        prelude: `import { serialize } from 'node:v8';`,
      },
    ),
    memory('Intl.DateTimeFormat objects', `for (;;) hoard.push(new Intl.DateTimeFormat('de', { dateStyle: 'full' }));`),
    memory('Intl.Collator objects', `for (;;) hoard.push(new Intl.Collator('de'));`),
    memory(
      'Intl.Segmenter objects',
      `for (;;) { const one = new Intl.Segmenter('ja', { granularity: 'word' }); hoard.push(one, one.segment('x')); }`,
    ),
    memory('crypto: hashes', `for (;;) hoard.push(crypto.createHash('sha512'));`, CRYPTO),
    memory('crypto: secret keys', `for (;;) hoard.push(crypto.createSecretKey(Buffer.alloc(1 << 20, 1)));`, CRYPTO),
    memory(
      'crypto: ciphers',
      `for (;;) hoard.push(crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12)));`,
      CRYPTO,
    ),
    memory('crypto: random bytes at once, 2 GB', `return String(crypto.randomBytes(2 ** 31 - 1).length);`, CRYPTO),
    memory(
      'crypto: random bytes, asynchronous',
      `for (;;) { for (let i = 0; i < 20; i++) crypto.randomBytes(1 << 20, (_, bytes) => hoard.push(bytes)); await new Promise((resolve) => setImmediate(resolve)); }`,
      CRYPTO,
    ),
    memory(
      'crypto: scrypt with 1 GB',
      `return crypto.scryptSync('x', 'salt', 64, { N: 2 ** 20, r: 8, p: 1, maxmem: 2 ** 31 }).toString('hex');`,
      {
        ...CRYPTO,
      },
    ),
    memory(
      'a gzip bomb',
      `
    const bomb = zlib.gzipSync(Buffer.alloc(50e6, 97), { level: 1 });
    for (;;) hoard.push(zlib.gunzipSync(bomb));`,
      ZLIB,
    ),
    memory(
      'a brotli bomb',
      `const bomb = zlib.brotliCompressSync(Buffer.alloc(20e6, 97), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }); for (;;) hoard.push(zlib.brotliDecompressSync(bomb));`,
      ZLIB,
    ),
    memory('gzip streams', `for (;;) hoard.push(zlib.createGzip({ level: 9, memLevel: 9 }));`, ZLIB),
    memory('decompression streams', `for (;;) hoard.push(new DecompressionStream('gzip'));`),
    memory(
      'allocation, a little in each turn',
      `for (;;) { hoard.push(Buffer.alloc(1 << 20, 1)); await new Promise((resolve) => setImmediate(resolve)); }`,
    ),
    memory('environment variables', `for (let i = 0; ; i++) process.env['NAME' + i] = 'x'.repeat(10_000);`),
    memory(
      'performance histograms',
      `for (;;) hoard.push(createHistogram({ figures: 5, highest: Number.MAX_SAFE_INTEGER }));`,
      {
        prelude: `import { createHistogram } from 'node:perf_hooks';`,
      },
    ),
    memory(
      'allocation after the answer',
      `setTimeout(() => { for (;;) hoard.push(Buffer.alloc(1 << 20, 1)); }, 20); return 'answered';`,
      {
        statuses: [200],
        codes: [],
        page: /^answered$/,
        afterMs: 800,
      },
    ),
    // What fails by itself, or can't be had.
    returns(
      'one ArrayBuffer of 8 GB',
      `try { return String(new Uint8Array(new ArrayBuffer(8e9)).length); } catch (error) { return error.name; }`,
      /^(RangeError|8000000000)$|LIMIT_HEAP/,
      // The system promises it, and the cap is on promises too.
      { causes: ['heap'], statuses: [200, 503] },
    ),
    returns(
      'garbage that is not kept, less than the cap in each turn',
      `let sum = 0; for (let i = 0; i < 160; i++) { sum += Buffer.alloc(1 << 20, 1)[i]; if (i % 4 === 3) await new Promise((resolve) => setTimeout(resolve, 5)); } return String(sum);`,
      /^160$/,
      UNHURRIED,
    ),
    returns(
      'SQLite in memory',
      `return import('node:sqlite').then(() => 'imported', (error) => error.code);`,
      /^SERVLET_DENIED$/,
      { isProbe: true },
    ),
    returns(
      'a file without an end',
      `try { return String(readFileSync('/dev/zero').length); } catch (error) { return error.code; }`,
      /^ERR_ACCESS_DENIED$/,
      {
        prelude: `import { readFileSync } from 'node:fs';`,
        isProbe: true,
      },
    ),
    returns(
      'a heap snapshot',
      `return import('node:v8').then((v8) => String(v8.getHeapSnapshot ?? v8.writeHeapSnapshot));`,
      /^undefined$/,
      { isProbe: true },
    ),
    returns(
      'garbage that is not kept, a quarter of the cap in each turn',
      `let sum = 0; for (let i = 0; i < 240; i++) { sum += Buffer.alloc(1 << 20, 1)[i]; if (i % 12 === 11) await new Promise((resolve) => setImmediate(resolve)); } return String(sum);`,
      /^240$/,
      UNHURRIED,
    ),
    // What a thread says of itself is written by functions that a guest may have replaced.
    memory(
      'buffers below what is beyond excuse, by one that says that it holds nothing',
      `const { store } = Atomics; Atomics.store = (words, at, value) => store(words, at, at === 2 ? 0 : value); Math.ceil = () => 0;
       for (let i = 0; i < 16; i++) { hoard.push(Buffer.alloc(5 << 20, 1)); await new Promise((resolve) => setTimeout(resolve, 30)); }
       await new Promise((resolve) => setTimeout(resolve, 3000)); return 'it held ' + hoard.length;`,
    ),
    memory(
      'buffers below what is beyond excuse, by one that is interrupted when it is to say what it holds',
      `onPressure(() => {}); process.on('uncaughtException', () => {}); Set.prototype[Symbol.iterator] = () => { throw new Error('not now'); };
       for (let i = 0; i < 11; i++) { hoard.push(Buffer.alloc(5 << 20, 1)); await new Promise((resolve) => setTimeout(resolve, 30)); }
       await new Promise((resolve) => setTimeout(resolve, 3000)); return 'it held ' + hoard.length;`,
      { prelude: `import { onPressure } from '@custodian/worker';` },
    ),
    memory(
      'shared buffers, by one that says that it runs nothing',
      `if (words !== undefined) store(words, 0, 1);
       for (let i = 0; i < 13; i++) { hoard.push(new Uint8Array(new SharedArrayBuffer(5 << 20)).fill(1)); await new Promise((resolve) => setTimeout(resolve, 30)); }
       await new Promise((resolve) => setTimeout(resolve, 3000)); return 'it held ' + hoard.length;`,
      {
        prelude: `const { store } = Atomics; let words; Atomics.store = (memory, at, value) => { words = memory; return store(memory, at, value); };`,
      },
    ),
    returns(
      'address space that is promised to resizable buffers',
      `try { for (let i = 0; i < 20_000; i++) hoard.push(new ArrayBuffer(0, { maxByteLength: 2 ** 32 })); return 'all'; } catch (error) { return error.name; }`,
      /^(RangeError|all)$/,
      UNHURRIED,
    ),
    memory(
      'jobs of zlib, asynchronous',
      `const bytes = Buffer.alloc(1 << 18, 1); for (;;) { for (let i = 0; i < 20; i++) zlib.deflate(bytes, { level: 1 }, (_, out) => hoard.push(out)); await new Promise((resolve) => setImmediate(resolve)); }`,
      // Node's own few threads are the whole cell's.
      { ...ZLIB, harmsItsCell: true },
    ),
    memory(
      'crypto: random bytes, 2 GB, asynchronous',
      `return new Promise((resolve, reject) => crypto.randomBytes(2 ** 31 - 1, (error, bytes) => (error ? reject(error) : resolve(String(bytes.length)))));`,
      CRYPTO,
    ),
    memory('crypto: HMACs', `for (;;) hoard.push(crypto.createHmac('sha512', 'key'));`, CRYPTO),
    memory(
      'buffers below the cap, and shared ones below the cap',
      `for (let i = 0; i < 7; i++) hoard.push(Buffer.alloc(5 << 20, 1), new Uint8Array(new SharedArrayBuffer(5 << 20)).fill(1));
       await new Promise((resolve) => setTimeout(resolve, 1000)); return 'it held ' + hoard.length;`,
    ),
    // Watched less closely while it does nothing.
    memory(
      'buffers, after a wait',
      `await new Promise((resolve) => setTimeout(resolve, 400)); for (;;) hoard.push(Buffer.alloc(1 << 20, 1));`,
    ),
    memory(
      'shared buffers, after a wait',
      `await new Promise((resolve) => setTimeout(resolve, 400)); for (;;) hoard.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1));`,
    ),
    returns(
      'shared buffers that are not kept, a quarter of the cap in each turn, beside a quarter in buffers',
      `for (let i = 0; i < 12; i++) hoard.push(Buffer.alloc(1 << 20, 1));
       let sum = 0; for (let i = 0; i < 24; i++) { sum += new Uint8Array(new SharedArrayBuffer(6 << 20)).fill(1)[i]; if (i % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 60)); } return String(sum);`,
      /^24$/,
      UNHURRIED,
    ),
  ],
  { cpuMs: 6000, wallMs: 10_000 },
);
