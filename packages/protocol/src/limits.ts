/** What both ends of a channel must agree on, and the limits that a servlet may tighten for itself. */

/** Bytes of one body, either way, that may be under way before the receiver must grant more. */
export const BODY_WINDOW_BYTES: number = 256 * 1024;

/** The largest piece of a body in one frame. */
export const CHUNK_MAX_BYTES: number = 64 * 1024;

/** What a piece of a response's body counts for besides its bytes: many tiny ones cost memory, too. */
export const CHUNK_COST_BYTES = 256;

/** The largest head of a response. */
export const HEAD_MAX_BYTES: number = 64 * 1024;

/** What is kept under a name, and replaced by who has seen it, begins with a tag of so many characters of base64url. */
export const ENTRY_TAG_BYTES = 16;

/** Limits that a servlet may set with `export const limits`. They only tighten what the operator allows. */
export interface ServletLimits {
  /** V8 heap and off-heap memory of the thread, in MB of 2^20 bytes. */
  heapMb?: number;
  /** CPU time of one request, in ms. */
  cpuMs?: number;
  /** From the start of a request to the first byte of its response, in ms. */
  wallMs?: number;
}
