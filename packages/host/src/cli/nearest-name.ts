/** The name that was probably meant by `word`, or null when none is near enough to be worth a guess. */
export function nearestName(word: string, names: Iterable<string>): string | null {
  const wanted = plain(word);
  let nearest: string | null = null;
  // A third of the letters may be wrong, and always two: `prot` is two edits away from `port`.
  let best = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    const candidate = plain(name);
    const isBeginning = wanted.length >= 3 && candidate.startsWith(wanted);
    const distance = isBeginning ? 1 : editDistance(wanted, candidate);
    // Two edits turn any two letters into any others, which is no guess.
    if (distance < best && distance < wanted.length) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

/** ` (did you mean "port"?)`, or nothing. */
export function didYouMean(word: string, names: Iterable<string>, prefix = ''): string {
  const name = nearestName(word, names);
  return name === null ? '' : ` (did you mean "${prefix}${name}"?)`;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (isSame ? 0 : 1)));
    }
    previous = current;
  }
  return previous[b.length]!;
}
