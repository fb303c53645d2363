/** What servlets do with Node alone. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as module from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import * as readline from 'node:readline';
import * as stream from 'node:stream';
import * as consumers from 'node:stream/consumers';
import * as streamPromises from 'node:stream/promises';
import * as timersPromises from 'node:timers/promises';
import * as url from 'node:url';
import * as util from 'node:util';
import * as v8 from 'node:v8';
import * as zlib from 'node:zlib';
import { onPressure } from '@custodian/worker';
import { own } from './tap.ts';
import type { Work } from './work.ts';

declare const WebAssembly: { Memory: new (size: { initial: number }) => { grow: (pages: number) => number } };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const temporary = (name: string): string => path.join(os.tmpdir(), name);

/** By the names that requests ask for it with. */
export const NODE_WORK: Record<string, Work> = {
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
    const streamed = new Request(`${site}/moved`, { method: 'POST', body: pieces(), duplex: 'half' } as RequestInit);
    await (await fetch(streamed)).arrayBuffer();
    const packed = await fetch(`${site}/packed`);
    await Promise.all([packed.clone().text(), packed.text()]);
    await fetch(`${site}/moved`, { method: 'HEAD' });
    await (await fetch(`${site}/packed`)).body?.cancel();
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
  pressure: async () => {
    const held: Buffer[] = [];
    let isTold = false;
    const stop = onPressure(() => (isTold = true));
    for (let count = 0; count < 20 && !isTold; count++) {
      held.push(Buffer.alloc(5 << 20, 1));
      await sleep(20);
    }
    stop();
    return `told: ${isTold}`;
  },
  exit: () => {
    const stay = (): never => {
      throw new Error('not yet');
    };
    process.on('exit', stay);
    try {
      process.exit();
    } catch {}
    process.off('exit', stay);
  },
};

/** More than is sent whole. */
function pieces(): ReadableStream<Uint8Array> {
  return new Blob(['x'.repeat(100_000)]).stream();
}
