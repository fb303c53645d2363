import { openSync, writeSync } from 'node:fs';

/**
 * Takes memory of one kind until it is stopped, and writes how many bytes it has taken to the file `?file=`.
 * `?of=`: heap, buffers, strings or wasm.
 */
export default function grow(request: { url: string }): never {
  const query = new URL(request.url, 'http://bench').searchParams;
  const file = openSync(query.get('file') ?? '/dev/null', 'w');
  const take = TAKERS[query.get('of') ?? 'heap'] as () => (bytes: number) => unknown;
  const hold = take();
  const hoard: unknown[] = [];
  for (let bytes = STEP_BYTES; ; bytes += STEP_BYTES) {
    hoard.push(hold(STEP_BYTES));
    writeSync(file, String(bytes).padStart(12), 0);
  }
}

const STEP_BYTES = 512 * 1024;

/** Each makes a function that takes so many bytes, touches them, and returns what holds them. */
export const TAKERS: Record<string, () => (bytes: number) => unknown> = {
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
