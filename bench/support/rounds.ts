/** Middle and spread of some samples. */
export interface Spread {
  median: number;
  min: number;
  max: number;
  samples: number[];
}

export function spreadOf(samples: readonly number[]): Spread {
  return {
    median: quantile(samples, 0.5),
    min: Math.min(...samples),
    max: Math.max(...samples),
    samples: [...samples],
  };
}

/**
 * The half of what was measured that took least. Whatever else the machine does only makes a thing take longer, here for seconds and up to
 * twice as long, so that this half is disturbed least, and strays least.
 */
export function leastHalf<Sample>(samples: readonly Sample[], of: (sample: Sample) => number): Sample[] {
  return samples.toSorted((a, b) => of(a) - of(b)).slice(0, Math.ceil(samples.length / 2));
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const RESAMPLINGS = 500;

/** What may be off by how much, two times in three: how far it strays when it is made of the same samples drawn anew (Efron's bootstrap). */
export function errorOf<Sample>(
  sets: readonly (readonly Sample[])[],
  of: (sets: readonly (readonly Sample[])[]) => number,
): number {
  const draw = (samples: readonly Sample[]): Sample[] =>
    samples.map(() => samples[Math.floor(Math.random() * samples.length)] as Sample);
  const values = Array.from({ length: RESAMPLINGS }, () => of(sets.map(draw)));
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}

/** The value that a share of the samples lies below. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * Measures each variant once a round. Every second round runs backwards, so that neither a warming machine nor a
 * neighbour of it favours one of them.
 */
export async function alternate<Variant extends string, Sample>(
  variants: readonly Variant[],
  rounds: number,
  measure: (variant: Variant, round: number) => Promise<Sample>,
): Promise<Record<Variant, Sample[]>> {
  const samples = Object.fromEntries(variants.map((variant) => [variant, [] as Sample[]])) as Record<Variant, Sample[]>;
  for (let round = 0; round < rounds; round++) {
    for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
      samples[variant].push(await measure(variant, round));
    }
  }
  return samples;
}

/** Ratio of two variants round by round: what both rounds suffered alike cancels out. */
export function ratioOf(samples: readonly number[], base: readonly number[]): Spread {
  return spreadOf(samples.map((sample, round) => sample / (base[round] as number)));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
