/** Returns the candidate that `typed` probably stands for, or undefined if none is close. */
export function didYouMean(typed: string, candidates: readonly string[]): string | undefined {
  const plain = simplify(typed);
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(plain, simplify(candidate)) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  const tolerated = Math.max(1, Math.floor(plain.length / 3));
  if (best !== undefined && best.distance <= tolerated) return best.candidate;
  return candidates.find((candidate) => plain.length >= 3 && simplify(candidate).startsWith(plain));
}

/** Makes `--partSize`, `--part_size` and `--part-size` the same. */
function simplify(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}

/** The Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
