/** A guest that has a {@link install | tap} on all that it reaches, does what servlets do, and tells what came by. */
import * as assert from 'node:assert';
import * as asyncHooks from 'node:async_hooks';
import * as buffer from 'node:buffer';
import * as crypto from 'node:crypto';
import * as diagnostics from 'node:diagnostics_channel';
import * as events from 'node:events';
import * as fs from 'node:fs';
import * as module from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import * as performanceHooks from 'node:perf_hooks';
import * as querystring from 'node:querystring';
import * as readline from 'node:readline';
import * as stream from 'node:stream';
import * as consumers from 'node:stream/consumers';
import * as streamPromises from 'node:stream/promises';
import * as web from 'node:stream/web';
import * as decoder from 'node:string_decoder';
import * as timers from 'node:timers';
import * as timersPromises from 'node:timers/promises';
import * as url from 'node:url';
import * as util from 'node:util';
import * as v8 from 'node:v8';
import * as zlib from 'node:zlib';
import * as library from '@custodian/worker';
import { found, install, own } from './tap.ts';

declare const WebAssembly: { Memory: new (size: { initial: number }) => { grow: (pages: number) => number } };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const temporary = (name: string): string => path.join(os.tmpdir(), name);

/** What is made of it has prototypes that nothing else leads to. */
function samples(): Record<string, unknown> {
  const bytes = Buffer.alloc(16);
  return {
    generator: (function* (): Generator<void> {})(),
    asyncGenerator: (async function* (): AsyncGenerator<void> {})(),
    asyncFunction: async (): Promise<void> => {},
    arraySteps: [][Symbol.iterator](),
    mapSteps: new Map().entries(),
    setSteps: new Set().values(),
    textSteps: ''[Symbol.iterator](),
    matches: 'a'.matchAll(/a/g),
    helper: Iterator.from([1]).map(Number),
    queue: new stream.Writable(),
    timeout: setTimeout(() => {}, 1),
    immediate: setImmediate(() => {}),
    channel: own(() => new MessageChannel()),
    diagnosticsChannel: subscribed(),
    tracing: diagnostics.tracingChannel('crawl'),
    resource: new asyncHooks.AsyncResource('crawl'),
    local: new asyncHooks.AsyncLocalStorage(),
    abort: new AbortController(),
    signals: AbortSignal.any([new AbortController().signal]),
    request: new Request('http://x/', { method: 'POST', body: 'x' }),
    response: new Response('x'),
    headers: new Headers({ a: 'b' }).entries(),
    search: new URLSearchParams('a=b').entries(),
    form: new FormData(),
    blob: new Blob(['x']),
    readable: new ReadableStream().getReader(),
    bytes: new ReadableStream({ type: 'bytes' }).getReader({ mode: 'byob' }),
    writable: new WritableStream().getWriter(),
    compression: new CompressionStream('gzip'),
    observer: new performanceHooks.PerformanceObserver(() => {}),
    histogram: performanceHooks.createHistogram(),
    delay: performanceHooks.monitorEventLoopDelay(),
    mark: performance.mark('crawl'),
    gzip: zlib.createGzip(),
    brotli: zlib.createBrotliDecompress(),
    cipher: crypto.createCipheriv('aes-128-cbc', bytes, bytes),
    hash: crypto.createHash('sha1'),
    sign: crypto.createSign('sha256'),
    curve: crypto.createECDH('secp256k1'),
    key: crypto.createSecretKey(bytes),
    keys: crypto.generateKeyPairSync('ed25519'),
    serializer: new v8.Serializer(),
    stat: fs.statSync(os.tmpdir()),
    names: fs.readdirSync(os.tmpdir(), { withFileTypes: true }),
    file: fs.createReadStream(os.tmpdir()).on('error', () => {}),
    emitter: new events.EventEmitter(),
    memory: new WebAssembly.Memory({ initial: 1 }),
    weak: new WeakRef({}),
    registry: new FinalizationRegistry(() => {}),
    error: new Error('crawl'),
    require: module.createRequire(import.meta.url),
  };
}

function subscribed(): diagnostics.Channel {
  const channel = diagnostics.channel('crawl');
  channel.subscribe(() => {});
  return channel;
}

/** What servlets do, by the name that the request asks for it with. */
const WORK: Record<string, (request: library.ServletRequest) => unknown> = {
  install: () => String(install({ ...ROOTS, samples: samples() })),
  found: () => JSON.stringify(found()),
  text: () => 'text',
  log: () => {
    console.log('out', { a: [1] });
    console.error(new Error('err'));
    process.stdout.write('direct\n');
  },
  body: async (request) => String((await request.text()).length),
  stream: () => new Response(stream.Readable.toWeb(stream.Readable.from([Buffer.alloc(300_000), 'x'])) as never),
  large: () => Buffer.alloc(2_000_000),
  fetch: async (request) => {
    const site = request.query.get('site') ?? '';
    const answer = await fetch(site, { method: 'POST', body: 'x'.repeat(300_000), signal: AbortSignal.timeout(5000) });
    const text = await answer.text();
    await fetch('http://other.example/').catch(() => {});
    const abort = new AbortController();
    const aborted = fetch(site, { signal: abort.signal }).catch(() => {});
    abort.abort();
    await aborted;
    return text;
  },
  files: async () => {
    const file = temporary('file');
    await fs.promises.writeFile(file, 'x');
    await streamPromises.pipeline(fs.createReadStream(file), zlib.createGzip(), fs.createWriteStream(`${file}.gz`));
    fs.readFile(file, () => {});
    await new Promise((resolve) => fs.readdir(os.tmpdir(), resolve));
    await fs.promises.readFile('/etc/passwd').catch(() => {});
    return consumers.text(fs.createReadStream(file));
  },
  imports: async () => {
    const load = (name: string): Promise<unknown> => import(name).catch(() => {});
    fs.writeFileSync(temporary('data.json'), '{"a":1}');
    fs.writeFileSync(temporary('common.cjs'), `module.exports = require('node:util').inspect(require.resolve.name);`);
    fs.writeFileSync(temporary('typed.ts'), `export const a: number = 1;`);
    fs.writeFileSync(temporary('wrong.mjs'), `export {`);
    fs.writeFileSync(temporary('throws.mjs'), `import 'node:path'; throw new Error('at load');`);
    fs.writeFileSync(temporary('later.mjs'), `import './throws.mjs'; export const a = await 1;`);
    await import(url.pathToFileURL(temporary('data.json')).href, { with: { type: 'json' } }).catch(() => {});
    for (const name of ['common.cjs', 'typed.ts', 'wrong.mjs', 'throws.mjs', 'later.mjs', 'absent.mjs'])
      await load(url.pathToFileURL(temporary(name)).href);
    const names = 'node:net node:tty node:process node:sqlite absent #absent @custodian/worker node:worker_threads';
    for (const name of names.split(' ')) await load(name);
    await Promise.all([load('data:text/javascript,export default 1'), load('data:text/javascript,await 1')]);
    const require = module.createRequire(import.meta.url);
    for (const name of ['node:util', 'node:net', temporary('common.cjs'), './absent'])
      try {
        require(name);
      } catch {}
    try {
      import.meta.resolve('node:net');
    } catch {}
  },
  code: () => {
    // oxlint-disable-next-line no-eval, typescript/no-implied-eval -- guests may
    const made = [(0, eval)('1'), new Function('return 1')()];
    JSON.stringify(JSON.parse(JSON.stringify(made)));
    structuredClone(new Map([[1, { date: new Date(0) }]]));
    new Intl.NumberFormat('en').format(1);
    new WebAssembly.Memory({ initial: 1 }).grow(1);
    util.inspect(new Proxy({}, {}), { showProxy: true });
    v8.deserialize(v8.serialize({ a: 1 }));
    process.emitWarning('crawl');
  },
  timers: async () => {
    for (let count = 0; count < 5000; count++) process.nextTick(() => {});
    const { port1, port2 } = own(() => new MessageChannel());
    port1.addEventListener('message', () => port1.close());
    port1.start();
    port2.postMessage({ a: 1 });
    await timersPromises.setImmediate();
    const interval = setInterval(() => {}, 1);
    await timersPromises.setTimeout(10);
    clearInterval(interval);
    queueMicrotask(() => {});
    AbortSignal.timeout(1);
    performance.mark('a');
    await sleep(10);
  },
  streams: async () => {
    const through = new stream.PassThrough();
    stream.Readable.from(['a', 'b']).pipe(through);
    await consumers.text(through);
    await new Response(new Blob(['x']).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
    const [left, right] = new ReadableStream({ start: (controller) => controller.close() }).tee();
    await Promise.all([left.cancel(), right.cancel()]);
    await new Promise((resolve) => zlib.gzip('x', resolve));
    readline.createInterface({ input: stream.Readable.from(['a\n']) }).on('line', () => {});
    await streamPromises.finished(stream.Readable.from(['x']).resume());
  },
  crypto: async () => {
    await crypto.subtle.digest('SHA-256', Buffer.alloc(8));
    await new Promise((resolve) => crypto.randomBytes(8, resolve));
    await new Promise((resolve) => crypto.scrypt('a', 'b', 8, { N: 2 }, resolve));
    await util.promisify(crypto.generateKeyPair)('ed25519');
  },
  errors: async () => {
    const pass = (): void => {};
    process.once('unhandledRejection', pass);
    process.once('uncaughtException', pass);
    setTimeout(() => {
      throw new Error('later');
    }, 1);
    await sleep(20);
    process.removeAllListeners('unhandledRejection');
    throw new Error('at once', { cause: new TypeError('before') });
  },
  garbage: async () => {
    for (let count = 0, held; count < 30; count++) {
      held = Buffer.alloc(10 << 20, 1);
      await sleep(3);
      void held;
    }
  },
  page: () => library.html`<!doctype html><title>${'x'}</title>`,
  suspends: async () => {
    const next = await library.sendSuspend((k) => library.html`<a href="${k}">on</a>`);
    return String(next.bindings.get('a'));
  },
};

const ROOTS = {
  globalThis,
  assert,
  asyncHooks,
  buffer,
  consumers,
  crypto,
  diagnostics,
  events,
  fs,
  library,
  module,
  os,
  path,
  performanceHooks,
  querystring,
  readline,
  stream,
  streamPromises,
  web,
  decoder,
  timers,
  timersPromises,
  url,
  util,
  v8,
  zlib,
};

export default async function crawl(request: library.ServletRequest): Promise<unknown> {
  const work = WORK[request.query.get('do') ?? ''];
  return (await work?.(request)) ?? 'done';
}
