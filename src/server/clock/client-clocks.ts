/** How long a client's time counts. */
const REMEMBERED_MS = 60 * 60_000;
/** Number of clients that are remembered; beyond it, the oldest is dropped. */
const MOST_CLIENTS = 1_000;

/** The format of RFC 9110, section 5.6.7, which every `Date` header has today. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Collects the clocks of clients from the `Date` headers of their requests. Each token counts once, together with all its capabilities, with its
 * latest request, so a lying client is only one of many.
 */
export function createClientClocks(monotonic: () => number) {
  /** By token: the client's clock minus the server's monotonic one, so that the server's own wall clock may change meanwhile. */
  const heard = new Map<string, { readonly aheadOfMonotonicMs: number; readonly atMs: number }>();

  return {
    /** Ignores everything that is not a date. */
    hear(token: string, date: string | undefined): void {
      const clientMs = date !== undefined && HTTP_DATE.test(date) ? Date.parse(date) : Number.NaN;
      if (Number.isNaN(clientMs)) return;
      const atMs = monotonic();
      heard.delete(token);
      heard.set(token, { aheadOfMonotonicMs: clientMs - atMs, atMs });
      const [oldest] = heard.keys();
      if (heard.size > MOST_CLIENTS && oldest !== undefined) heard.delete(oldest);
    },

    /** Returns the offset that at least half of the clients reach or exceed; undefined if no client sent a date lately. */
    offsetMs(wallMs: number, monotonicMs: number): number | undefined {
      const offsets = [...heard.values()]
        .filter(({ atMs }) => monotonicMs - atMs < REMEMBERED_MS)
        .map(({ aheadOfMonotonicMs }) => aheadOfMonotonicMs + monotonicMs - wallMs)
        .sort((a, b) => Math.abs(a) - Math.abs(b));
      return offsets[Math.floor(offsets.length / 2)];
    },
  };
}
