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

/** With the mean of the middle half, which strays less than the median, in its place, and that half's ends in the place of extremes. */
export function middleOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  const cut = Math.floor(sorted.length / 4);
  const middle = sorted.slice(cut, sorted.length - cut);
  const mean = middle.reduce((sum, sample) => sum + sample, 0) / middle.length;
  return { median: mean, min: quantile(samples, 0.25), max: quantile(samples, 0.75), samples: [...samples] };
}

/** By how much the mean of the middle half may be off, two times in three, by how far the samples stray. */
export function errorOf(samples: readonly number[]): number {
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  const { min, max } = middleOf(samples);
  const squares = samples.reduce((sum, sample) => sum + (sample - mean) ** 2, 0) / (samples.length - 1);
  // Of a bell's quarters, where extremes are a neighbour's doing and would count for too much.
  const deviation = Math.min(Math.sqrt(squares), (max - min) / 1.35);
  return (1.2 * deviation) / Math.sqrt(samples.length);
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
