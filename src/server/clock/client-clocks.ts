/** A client's word about the time counts for so long. */
const REMEMBERED_MS = 60 * 60_000;
/** One each; beyond that, the oldest is forgotten. */
const MOST_CLIENTS = 1_000;

/** As HTTP has it (RFC 9110, section 5.6.7), which every `Date` of today is. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Collects what the clocks of clients say, by the header `Date` of their requests. Each token counts once, with its latest request, together with
 * all its capabilities: one client that lies is one of many.
 */
export function createClientClocks(monotonic: () => number) {
  /** The client's clock minus our monotonic one, so that our own wall clock may change meanwhile. */
  const told = new Map<string, { readonly aheadOfMonotonicMs: number; readonly atMs: number }>();

  return {
    /** Anything that is no date is ignored. */
    hear(token: string, date: string | undefined): void {
      const clientMs = date !== undefined && HTTP_DATE.test(date) ? Date.parse(date) : Number.NaN;
      if (Number.isNaN(clientMs)) return;
      const atMs = monotonic();
      told.delete(token);
      told.set(token, { aheadOfMonotonicMs: clientMs - atMs, atMs });
      const [oldest] = told.keys();
      if (told.size > MOST_CLIENTS && oldest !== undefined) told.delete(oldest);
    },

    /** The offset that at least half of the clients are as far off as, or further; undefined where none has told anything lately. */
    offsetMs(wallMs: number, monotonicMs: number): number | undefined {
      const offsets = [...told.values()]
        .filter(({ atMs }) => monotonicMs - atMs < REMEMBERED_MS)
        .map(({ aheadOfMonotonicMs }) => aheadOfMonotonicMs + monotonicMs - wallMs)
        .sort((a, b) => Math.abs(a) - Math.abs(b));
      return offsets[Math.floor(offsets.length / 2)];
    },
  };
}
