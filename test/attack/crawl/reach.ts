/** All that a guest reaches without any trick, but for what the library gives it as it runs. */
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
import { own } from './tap.ts';

declare const WebAssembly: { Memory: new (size: { initial: number }) => object };

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

const MODULES = {
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

/** By the names that finds have. */
export function roots(): Record<string, unknown> {
  return { ...MODULES, samples: samples() };
}
