/** A longer window smooths more, and takes longer to notice that a link became slow. */
const WINDOW_MS = 10_000;

/** Measures bytes per second over the last seconds. The clock is passed in. */
export function createRate(startedAt: number) {
  let samples: { at: number; total: number }[] = [{ at: startedAt, total: 0 }];
  let total = 0;
  /** The speed before the latest restart; 0 where nothing had moved yet. */
  let speedBefore = 0;

  function window(): { ms: number; bytes: number } {
    const [first, last] = [samples[0], samples.at(-1)];
    return first && last ? { ms: last.at - first.at, bytes: last.total - first.total } : { ms: 0, bytes: 0 };
  }

  function speed(): number {
    const { ms, bytes } = window();
    return ms > 0 ? (bytes * 1_000) / ms : 0;
  }

  function restart(at: number): void {
    speedBefore = speed() || speedBefore;
    samples = [{ at, total }];
  }

  return {
    add(bytes: number): void {
      total += bytes;
    },
    /** Call regularly: each call is a sample. */
    sample(at: number): number {
      // No call for so long: the host slept, which says nothing about the link.
      if (at - (samples.at(-1)?.at ?? at) > WINDOW_MS) restart(at);
      samples.push({ at, total });
      while (samples.length > 2 && (samples[1]?.at ?? at) <= at - WINDOW_MS) samples.shift();
      return speed();
    },
    /** Call when an outage begins or ends: the window must not reach across that. */
    restart,
    /**
     * The speed to expect from the latest sample on; 0 while nothing moves. The first moments after a restart say little (a
     * socket swallows megabytes at once), so the earlier speed stands in for the rest of the window.
     */
    get expected(): number {
      const { ms, bytes } = window();
      if (bytes === 0 || speedBefore === 0) return speed();
      const restMs = Math.max(0, WINDOW_MS - ms);
      return (bytes * 1_000 + speedBefore * restMs) / (ms + restMs);
    },
  };
}
