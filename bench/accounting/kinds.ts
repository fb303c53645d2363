/** What is allocated: see TAKERS of bench/servlets/grow.ts. */
export const KINDS = ['heap', 'strings', 'buffers', 'wasm', 'shared', 'mixture'] as const;
export type Kind = (typeof KINDS)[number];

/** Racket has no wasm, and no memory that its collector does not see. */
export const RACKET_KINDS: readonly Kind[] = ['heap', 'strings', 'buffers', 'mixture'];

export const CAPS_MB = [20, 50, 200] as const;
export const MB: number = 1 << 20;
