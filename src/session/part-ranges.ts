/** Consecutive part numbers, both ends included: `{first: 3, last: 5}` is parts 3, 4 and 5. */
export interface PartNumberRange {
  readonly first: number;
  readonly last: number;
}

/** Returns the numbers from 1 to `partCount` that are not in `stored`, as ranges: compact even for 10,000 parts. */
export function missingRanges(partCount: number, stored: Iterable<number>): PartNumberRange[] {
  const present = new Set(stored);
  const ranges: PartNumberRange[] = [];
  let first: number | undefined;
  for (let partNumber = 1; partNumber <= partCount + 1; partNumber++) {
    const missing = partNumber <= partCount && !present.has(partNumber);
    if (missing) first ??= partNumber;
    else if (first !== undefined) {
      ranges.push({ first, last: partNumber - 1 });
      first = undefined;
    }
  }
  return ranges;
}

/** Groups ascending part numbers into ranges. */
export function rangesOf(partNumbers: Iterable<number>): PartNumberRange[] {
  const ranges: { first: number; last: number }[] = [];
  for (const partNumber of partNumbers) {
    const latest = ranges.at(-1);
    if (latest !== undefined && partNumber <= latest.last + 1) latest.last = Math.max(latest.last, partNumber);
    else ranges.push({ first: partNumber, last: partNumber });
  }
  return ranges;
}

export function* partNumbersOf(ranges: Iterable<PartNumberRange>): Generator<number> {
  for (const { first, last } of ranges) for (let partNumber = first; partNumber <= last; partNumber++) yield partNumber;
}
