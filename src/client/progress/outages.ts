/** Adds up how long the run was held up because something that it needed could not be reached. Overlapping outages count once. */
export function createOutages(endedBeforeMs = 0) {
  const out = new Set<string>();
  let since = 0;
  /** Up to when time was counted. An outage is reported a little after it began, and no time must count twice. */
  let countedUntil = Number.NEGATIVE_INFINITY;
  let endedMs = endedBeforeMs;
  return {
    get any(): boolean {
      return out.size > 0;
    },
    /** May be called repeatedly with the same `at`. */
    began(what: string, at: number): void {
      const begin = Math.max(at, countedUntil);
      since = out.size === 0 ? begin : Math.min(since, begin);
      out.add(what);
    },
    ended(what: string, at: number): void {
      if (!out.delete(what) || out.size > 0) return;
      endedMs += Math.max(0, at - since);
      countedUntil = at;
    },
    /** Milliseconds so far; an outage that lasts is counted up to `at`. */
    totalMs(at: number): number {
      return endedMs + (out.size > 0 ? Math.max(0, at - since) : 0);
    },
  };
}
