import { NoNetworkError } from './errors.ts';

/** What of the web and of Node a guest finds in the global scope, beside the language itself. */
const WEB =
  'AbortController AbortSignal Blob Buffer ByteLengthQueuingStrategy CloseEvent CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent ' +
  'DOMException DecompressionStream ErrorEvent Event EventTarget File FormData Headers MessageChannel MessageEvent MessagePort Performance ' +
  'PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming QuotaExceededError ' +
  'ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController ' +
  'ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder TextDecoderStream TextEncoder TextEncoderStream TransformStream ' +
  'TransformStreamDefaultController URL URLPattern URLSearchParams WritableStream WritableStreamDefaultController WritableStreamDefaultWriter ' +
  'atob btoa clearImmediate clearInterval clearTimeout console crypto global performance process queueMicrotask setImmediate setInterval ' +
  'setTimeout structuredClone';
const LANGUAGE =
  'AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date DisposableStack Error ' +
  'EvalError FinalizationRegistry Float16Array Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array Intl Iterator JSON Map ' +
  'Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String SuppressedError Symbol SyntaxError ' +
  'Temporal TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly decodeURI ' +
  'decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt undefined unescape';
const KEPT: ReadonlySet<PropertyKey> = new Set([...`${WEB} ${LANGUAGE}`.split(' '), Symbol.toStringTag]);

/** Undici, which is behind `fetch`, keeps its connections at these, where whoever finds them can use them. */
const DISPATCHERS = ['undici.globalDispatcher.1', 'undici.globalDispatcher.2'];

/** Removes every global that is not known to be harmless: those of later versions of Node too. `fetch`: the guest's. */
export function restrictGlobals(process: object, fetch: typeof globalThis.fetch | null): void {
  const { userAgent, language, languages, platform, hardwareConcurrency } = navigator;
  for (const key of Reflect.ownKeys(globalThis)) if (!KEPT.has(key)) Reflect.deleteProperty(globalThis, key);
  define('process', process);
  // V8's own, which can't be deleted. It takes the name of a file that it writes a heap snapshot to, and asks nobody.
  if ('gc' in globalThis) Object.defineProperty(globalThis, 'gc', { value: undefined, writable: false });
  // Without `locks`, whose names all threads of the process share.
  define('navigator', Object.freeze({ userAgent, language, languages, platform, hardwareConcurrency }));
  define('fetch', fetch ?? fetchDenied);
  const dispatcher = Object.freeze({ dispatch: deny, close: deny, destroy: deny });
  for (const name of DISPATCHERS) Object.defineProperty(globalThis, Symbol.for(name), { value: dispatcher });
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, enumerable: false, writable: true });
}

function fetchDenied(): Promise<never> {
  return Promise.reject(new NoNetworkError('Cannot fetch: the servlet has no network'));
}

function deny(): never {
  throw new NoNetworkError('Cannot connect: the servlet has no network');
}
