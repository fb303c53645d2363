/**
 * V8 keeps a thread's heap for 8 s after its end, or a little longer, for threads to come: pages that are nobody's. Until then a thread can fill
 * them without any growth of the process.
 */
export const KEPT_HEAP_MS = 12_000;
