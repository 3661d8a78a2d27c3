import type { UploadEvent } from '../../session/upload-event.ts';
import { LONGEST_WAIT_MS } from './backoff.ts';
import { ATTEMPT_TIMEOUT_MS, type DeliveryDeps, deliver, type Outcome } from './delivery.ts';

/** How long an event waits for being noticed, at most: the outbox is the one place that all replicas write to. */
const POLL_INTERVAL_MS = 1_000;
/** Events on the wire at a time. */
const CONCURRENCY = 8;
/** Twice as long as an attempt takes: clocks of replicas differ, and databases are slow at times. */
const CLAIM_MS = 2 * ATTEMPT_TIMEOUT_MS;

/**
 * Sends what is due until stopped. No more is claimed than goes on the wire at once, so nothing waits for its turn while its claim
 * runs out. Any number of replicas may do this on one database. Stopping breaks attempts off: they are made again.
 */
export function startDispatcher(
  deps: DeliveryDeps,
  { pollIntervalMs = POLL_INTERVAL_MS, claimMs = CLAIM_MS } = {},
): { stop(): Promise<void> } {
  const { outbox, now, log } = deps;
  const stop = new AbortController();
  const underWay = new Set<Promise<void>>();
  let filling: Promise<void> | undefined;
  let quietUntil = 0;
  let isFailing = false;

  const timer = setInterval(fill, pollIntervalMs);
  fill();
  return {
    async stop() {
      clearInterval(timer);
      stop.abort();
      await filling;
      await Promise.all(underWay);
    },
  };

  function fill(): void {
    filling ??= claimAndSend().finally(() => {
      filling = undefined;
    });
  }

  async function claimAndSend(): Promise<void> {
    try {
      while (underWay.size < CONCURRENCY && !stop.signal.aborted && now() >= quietUntil) {
        const events = await outbox.claim(now(), now() + claimMs, CONCURRENCY - underWay.size);
        if (events.length === 0) return;
        for (const event of events) send(event);
      }
    } catch (error) {
      log.error({ err: error }, 'the database did not say which events are due; asking again');
    }
  }

  function send(event: UploadEvent): void {
    const sending = deliver(deps, event, stop.signal)
      .then(noteOutcome)
      .catch((error: unknown) => {
        log.error({ eventId: event.eventId, err: error }, 'how the delivery of an event went was not recorded; it is sent again');
      })
      .finally(() => {
        underWay.delete(sending);
        if (!stop.signal.aborted) fill();
      });
    underWay.add(sending);
  }

  /** Told once when it begins to fail and once when it ends, not for every event. */
  function noteOutcome({ delivered, error, askedMs }: Outcome): void {
    if (askedMs > 0) quietUntil = Math.max(quietUntil, now() + Math.min(askedMs, LONGEST_WAIT_MS));
    if (delivered && isFailing) log.info({}, 'the webhook takes events again');
    if (error !== undefined && !isFailing)
      log.warn({ error }, 'the webhook does not take events; they are sent again for 24 hours');
    if (delivered || error !== undefined) isFailing = !delivered;
  }
}
