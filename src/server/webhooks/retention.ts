import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus } from '../../session/webhook-event.ts';
import type { Outbox } from '../../session-store/port/outbox.ts';
import type { Log } from '../core/deps.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Counted from the event. Dead events are kept longer, because an administrator has to notice them, fix the receiver and replay them. */
const KEPT_MS = { delivered: 7 * DAY_MS, dead: 30 * DAY_MS } as const;
/** Without a webhook events are not sent and must not pile up; a webhook that is set up later gets those of the last day. */
const KEPT_WITHOUT_WEBHOOK_MS = DAY_MS;
/** Events deleted at a time. SQLite takes some 30 ms for it with 200,000 events on record, during which no request is answered. */
const BATCH = 200;

export interface RetentionDeps {
  readonly outbox: Outbox;
  readonly now: () => Instant;
  readonly log: Log;
  /** Says whether the clock can be trusted; always by default. Called before each run. */
  readonly mayDelete?: () => boolean;
}

/** Deletes events that are older than their status allows, and returns their number. If it is stopped, the next run goes on. */
export async function deleteOldEvents({ outbox, now }: RetentionDeps, hasWebhook: boolean, stop?: AbortSignal): Promise<number> {
  const ages = Object.entries({ ...KEPT_MS, ...(hasWebhook ? {} : { pending: KEPT_WITHOUT_WEBHOOK_MS }) });
  let deleted = 0;
  for (const [status, ageMs] of ages) {
    const before = now() - ageMs;
    for (let count = BATCH; count === BATCH && !stop?.aborted; deleted += count) {
      count = await outbox.deleteOld(status as DeliveryStatus, before, BATCH);
      await yieldToEventLoop();
    }
  }
  return deleted;
}

/** Deletes old events at once, then every hour. Idempotent, so several servers may do it. */
export function startRetention(deps: RetentionDeps, hasWebhook: boolean): { stop(): Promise<void> } {
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const run = () => {
    if (deps.mayDelete?.() === false) return;
    running = running
      .then(() => deleteOldEvents(deps, hasWebhook, stop.signal))
      .catch((error: unknown) => deps.log.error({ err: error }, 'old events could not be deleted; tried again in an hour'));
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
