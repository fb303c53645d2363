import { openSync, writeSync } from 'node:fs';

/**
 * Takes memory of the kind `?of=` until it is stopped. Writes to the file `?file=` how many bytes it has taken, and
 * when it went over `?from=` MB, in ns on the clock that all processes share.
 */
export default function grow(request: { url: string }): never {
  const query = new URL(request.url, 'http://bench').searchParams;
  const file = openSync(query.get('file') ?? '/dev/null', 'w');
  const take = TAKERS[query.get('of') ?? 'heap'] as () => (bytes: number) => unknown;
  const hold = take();
  const hoard: unknown[] = [];
  const from = Number(query.get('from')) * 1048576;
  for (let bytes = STEP_BYTES; ; bytes += STEP_BYTES) {
    hoard.push(hold(STEP_BYTES));
    writeSync(file, String(bytes).padStart(12), 0);
    if (bytes >= from && bytes < from + STEP_BYTES) writeSync(file, ` ${process.hrtime.bigint()}`, 12);
  }
}

const STEP_BYTES = 512 * 1024;

type Take = (bytes: number) => unknown;

/** Each makes a function that takes so many bytes, touches them, and returns what holds them. */
export const TAKERS: Record<string, () => Take> = {
  // Copies of an array of 64 KB, which make no garbage; a header each is lost in the rounding.
  heap: () => {
    const doubles = Array.from({ length: 8190 }, Math.random);
    return (bytes) => Array.from({ length: bytes / 65_536 }, () => doubles.slice());
  },
  buffers: () => (bytes) => new Uint8Array(bytes).fill(1),
  // One byte a character, flat, in the heap.
  strings: () => {
    const text = Buffer.alloc(STEP_BYTES, 'x');
    return (bytes) => text.toString('latin1', 0, bytes);
  },
  // No statistic of V8's has it: only the process grows.
  shared: () => (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)).fill(1),
  mixture: () => {
    const holds = ['heap', 'buffers', 'strings', 'wasm'].map((kind) => (TAKERS[kind] as () => Take)());
    let turn = 0;
    return (bytes) => (holds[turn++ % holds.length] as Take)(bytes);
  },
  wasm: () => {
    const memory = newWasmMemory();
    return (bytes) => {
      const from = memory.buffer.byteLength;
      memory.grow(bytes / 65_536);
      new Uint8Array(memory.buffer, from).fill(1);
      return null;
    };
  },
};

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

function newWasmMemory(): WasmMemory {
  // Node's types leave the name to the DOM's.
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (options: { initial: number }) => WasmMemory };
  };
  return new WebAssembly.Memory({ initial: 0 });
}
