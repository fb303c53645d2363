/** What is allocated: see TAKERS of bench/servlets/grow.ts. */
export const KINDS = ['heap', 'strings', 'buffers', 'wasm', 'shared', 'mixture'] as const;
export type Kind = (typeof KINDS)[number];

/** Racket has no wasm, and no memory that its collector does not see. */
export const RACKET_KINDS: readonly Kind[] = ['heap', 'strings', 'buffers', 'mixture'];

export const CAPS_MB = [20, 50, 200] as const;
export const PARTS = ['charges', 'overshoots', 'misattribution', 'cost'] as const;
export type Part = (typeof PARTS)[number];

/** What is measured. */
export interface Scope {
  parts: readonly Part[];
  kinds: readonly Kind[];
  capsMb: readonly number[];
}

/** Of each the words named; all, if none is. @throws RangeError for a word that is nothing of it */
export function scopeOf(words: readonly string[]): Scope {
  const left = new Set(words);
  const named = <Word extends string | number>(all: readonly Word[]): readonly Word[] => {
    const some = all.filter((word) => left.delete(String(word)));
    return some.length > 0 ? some : all;
  };
  const scope = { parts: named(PARTS), kinds: named(KINDS), capsMb: named(CAPS_MB) };
  if (left.size > 0)
    throw new RangeError(
      `Cannot measure ${[...left].join(', ')} only: it is none of ${[...PARTS, ...KINDS, ...CAPS_MB].join(', ')}`,
    );
  return scope;
}
export const MB: number = 1 << 20;
