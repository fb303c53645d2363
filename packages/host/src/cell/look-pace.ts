/** While somebody works, memory is looked at this often at most, and at least. */
const LOOK_MIN_MS = 10;
const LOOK_MAX_MS = 50;
/** Hardly a thread fills memory faster, page by page: the kernel has to clear each of them first. */
const BYTES_PER_MS = 4 << 20;

/** When to look again at what has so much room left: before it can be used up, where that is possible. */
export function lookAgainMs(roomBytes: number): number {
  return Math.min(LOOK_MAX_MS, Math.max(LOOK_MIN_MS, roomBytes / BYTES_PER_MS));
}
