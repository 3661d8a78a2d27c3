import { UploadError } from '../../session/errors.ts';

/** Free time for each body: an everyday request takes less, also on a busy host. */
const FREE_MS = 4;
/** Share of the server's thread that the bodies of one key may take in the long run. */
const SHARE = 0.1;
/** Debt up to which nothing is refused: a few reports of thousands of parts, one after another. */
const CREDIT_MS = 200;
/** Most debt that is remembered, so no wait exceeds (MOST_DEBT_MS - CREDIT_MS) / SHARE. */
const MOST_DEBT_MS = 1_000;
/** Number of keys beyond which the keys without debt are dropped. */
const TIDY_AT = 1_000;

/** Counts the time that parsing and checking of bodies takes from the server's only thread, under the key of the sender. */
export interface BodyTime {
  /** @throws UploadError `RATE_LIMITED` while the key owes more time than its credit. */
  check(key: string): void;
  /**
   * Starts the clock for a body that has arrived whole. The caller stops it, saying whether the body was accepted; only the first stop counts.
   * A refused body counts with all of its time, an accepted one with the time beyond FREE_MS.
   */
  begin(key: string): (isAccepted: boolean) => void;
}

/** @param now Returns the milliseconds of a clock that is never set back. */
export function createBodyTime(now: () => number): BodyTime {
  const debts = new Map<string, { readonly ms: number; readonly at: number }>();

  function debtOf(key: string): number {
    const debt = debts.get(key);
    return debt === undefined ? 0 : Math.max(0, debt.ms - (now() - debt.at) * SHARE);
  }

  function add(key: string, ms: number): void {
    debts.set(key, { ms: Math.min(MOST_DEBT_MS, debtOf(key) + ms), at: now() });
    if (debts.size <= TIDY_AT) return;
    for (const other of debts.keys()) if (debtOf(other) === 0) debts.delete(other);
  }

  return {
    check(key) {
      const excess = debtOf(key) - CREDIT_MS;
      if (excess > 0) throw tooBusy(Math.max(1, Math.ceil(excess / SHARE / 1_000)));
    },
    begin(key) {
      const startedAt = now();
      let isRunning = true;
      return (isAccepted) => {
        if (!isRunning) return;
        isRunning = false;
        const ms = now() - startedAt - (isAccepted ? FREE_MS : 0);
        if (ms > 0) add(key, ms);
      };
    },
  };
}

/** Limits nothing, for servers without limits on requests. */
export const ANY_BODY_TIME: BodyTime = { check() {}, begin: () => () => {} };

function tooBusy(retryAfterSeconds: number): UploadError {
  return new UploadError('RATE_LIMITED', 'Checking the request bodies of this token took the server too much time.', {
    hint: 'Wait, then go on. Refused bodies count most: the answers to them say what is wrong.',
    facts: { retryAfterSeconds },
  });
}
