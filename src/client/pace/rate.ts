/** Longer smooths more, and takes longer to notice that a link became slow. */
const WINDOW_MS = 10_000;

/** Bytes per second over the last seconds. The clock is passed in. */
export function createRate(startedAt: number) {
  const samples: { at: number; total: number }[] = [{ at: startedAt, total: 0 }];
  let total = 0;
  return {
    add(bytes: number): void {
      total += bytes;
    },
    /** Call regularly: each call is a sample. */
    sample(at: number): number {
      samples.push({ at, total });
      while (samples.length > 2 && (samples[1]?.at ?? at) <= at - WINDOW_MS) samples.shift();
      const first = samples[0] ?? { at, total };
      return at > first.at ? ((total - first.total) * 1_000) / (at - first.at) : 0;
    },
  };
}
