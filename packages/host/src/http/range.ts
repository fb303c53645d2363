/** Bytes `start` to `end` of a file; `end` is not among them. */
export interface ByteRange {
  start: number;
  end: number;
}

const SPECIFIER = /^bytes[ \t]*=(.*)$/i;
const SPEC = /^(?:(\d+)-(\d*)|-(\d+))?$/;

/**
 * Which parts of a file of `size` bytes a Range header asks for, in its order (RFC 9110 §14.1.2).
 * @returns null when the header is to be ignored: it is malformed, is of another unit than bytes, or asks for more than
 *   `maxCount` parts; an empty list when there is nothing that could be sent (416)
 */
export function parseRanges(header: string, size: number, maxCount: number): ByteRange[] | null {
  const specs = SPECIFIER.exec(header)?.[1]?.split(',');
  if (specs === undefined) return null;
  const ranges: ByteRange[] = [];
  let count = 0;
  for (const spec of specs) {
    const match = SPEC.exec(spec.trim());
    if (match === null) return null;
    const [, first, last, suffix] = match;
    // Empty members of a list are none (RFC 9110 §5.6.1).
    if (first === undefined && suffix === undefined) continue;
    if (++count > maxCount) return null;
    if (suffix !== undefined) {
      // The last bytes of an empty file are the whole of it, for which Content-Range has no words.
      if (size === 0 && Number(suffix) > 0) return null;
      if (Number(suffix) > 0) ranges.push({ start: Math.max(0, size - Number(suffix)), end: size });
      continue;
    }
    const start = Number(first);
    if (last !== '' && Number(last) < start) return null;
    if (start < size) ranges.push({ start, end: last === '' ? size : Math.min(size, Number(last) + 1) });
  }
  if (count === 0) return null;
  return lengthOf(ranges) > size ? coalesce(ranges) : ranges;
}

function lengthOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((bytes, { start, end }) => bytes + end - start, 0);
}

/** Ranges that overlap become one: together they would be longer than the file (RFC 9110 §14.2). */
function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || start > last.end) merged.push({ start, end });
    else last.end = Math.max(last.end, end);
  }
  return merged;
}
