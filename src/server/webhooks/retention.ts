import { setImmediate as othersFirst } from 'node:timers/promises';
import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus } from '../../session/upload-event.ts';
import type { Outbox } from '../../session-store/port/session-store.ts';
import type { Log } from '../core/deps.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Since the event. What is dead is kept for long: somebody has to notice it, mend the receiver and replay it. */
const KEPT_MS = { delivered: 7 * DAY_MS, dead: 30 * DAY_MS } as const;
/** Without a webhook nobody is told, and events do not pile up; one that is set up later hears of the last day. */
const KEPT_WITHOUT_WEBHOOK_MS = DAY_MS;
/** At a time: SQLite takes some 30 ms for it with 200,000 events on record, during which nobody else is answered. */
const BATCH = 200;

export interface ForgettingDeps {
  readonly outbox: Outbox;
  readonly now: () => Instant;
  readonly log: Log;
  /** Whether the clock is believed; unless given, it is. Asked each time. */
  readonly mayForget?: () => boolean;
}

/** @returns how many events were forgotten; when stopped in the midst, the next run goes on. */
export async function forgetOldEvents({ outbox, now }: ForgettingDeps, hasWebhook: boolean, stop?: AbortSignal): Promise<number> {
  const ages = Object.entries({ ...KEPT_MS, ...(hasWebhook ? {} : { pending: KEPT_WITHOUT_WEBHOOK_MS }) });
  let forgotten = 0;
  for (const [status, ageMs] of ages) {
    const before = now() - ageMs;
    for (let count = BATCH; count === BATCH && !stop?.aborted; forgotten += count) {
      count = await outbox.forget(status as DeliveryStatus, before, BATCH);
      await othersFirst();
    }
  }
  return forgotten;
}

/** At once, then every hour. Several servers may do this: it is idempotent. */
export function startForgetting(deps: ForgettingDeps, hasWebhook: boolean): { stop(): Promise<void> } {
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const run = () => {
    if (deps.mayForget?.() === false) return;
    running = running
      .then(() => forgetOldEvents(deps, hasWebhook, stop.signal))
      .catch((error: unknown) => deps.log.error({ err: error }, 'old events could not be forgotten; tried again in an hour'));
  };
  run();
  const timer = setInterval(run, HOUR_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      stop.abort();
      await running;
    },
  };
}
