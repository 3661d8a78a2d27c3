/** How many of the parts that an earlier run stored are read from the source again, to compare them. */
export const VERIFY_RESUME = ['full', 'sample', 'none'] as const;
export type VerifyResume = (typeof VERIFY_RESUME)[number];

const FEWEST = 8;
const ONE_IN = 16;

/**
 * Chooses the parts that are read. A sample is one in 16 of them, at least 8, evenly spread, the first and the last among them;
 * the same parts give the same sample.
 */
export function partsToRead(partNumbers: readonly number[], verifyResume: VerifyResume): readonly number[] {
  if (verifyResume === 'full') return partNumbers;
  if (verifyResume === 'none') return [];
  const sorted = [...partNumbers].sort((a, b) => a - b);
  const count = Math.min(sorted.length, Math.max(FEWEST, Math.ceil(sorted.length / ONE_IN)));
  const step = count > 1 ? (sorted.length - 1) / (count - 1) : 0;
  const picked = new Set(Array.from({ length: count }, (_, index) => Math.round(index * step)));
  return sorted.filter((_, index) => picked.has(index));
}
