import type { Frame } from './frame.ts';

const frameBytes = 96,
  slotBytes = 8,
  objectBytes = 56,
  deepest = 6,
  mostObjects = 10_000;

/**
 * About how many bytes the frames keep alive. Frames in `counted` are skipped, so that continuations that share a tail are charged
 * for it once; functions, and what is deeper or more than is worth walking, count as one object.
 */
export function estimateBytes(frame: Frame | null, counted: { has(f: Frame): boolean } = new Set<Frame>()): number {
  const seen = new Set<object>();
  let total = 0;
  for (let f = frame; f && !counted.has(f); f = f.next) {
    total += frameBytes + f.locals.length * slotBytes + 16;
    for (const value of f.locals) total += sizeOf(value, seen, 0);
  }
  return total;
}

function sizeOf(value: unknown, seen: Set<object>, depth: number): number {
  switch (typeof value) {
    case 'string':
      return 16 + value.length * 2;
    case 'bigint':
      return 24;
    case 'object':
      break;
    case 'function':
      return 64;
    default:
      return 0;
  }
  if (value === null || seen.has(value)) return 0;
  if (seen.size >= mostObjects) return 0;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return objectBytes + value.byteLength;
  if (value instanceof ArrayBuffer) return objectBytes + value.byteLength;
  if (depth >= deepest) return objectBytes;
  let total = objectBytes;
  if (value instanceof Map)
    for (const [k, v] of value) total += 2 * slotBytes + sizeOf(k, seen, depth + 1) + sizeOf(v, seen, depth + 1);
  else if (value instanceof Set) for (const v of value) total += slotBytes + sizeOf(v, seen, depth + 1);
  else {
    for (const key of Object.keys(value)) {
      // An accessor is not called: it could do anything.
      const property = Object.getOwnPropertyDescriptor(value, key);
      total += slotBytes + (property && 'value' in property ? sizeOf(property.value, seen, depth + 1) : 0);
    }
  }
  return total;
}
