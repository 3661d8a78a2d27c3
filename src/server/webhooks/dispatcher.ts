import type { WebhookEvent } from '../../session/webhook-event.ts';
import { LONGEST_WAIT_MS } from './backoff.ts';
import { ATTEMPT_TIMEOUT_MS, type DeliveryDeps, deliver, type Outcome } from './delivery.ts';

/** Longest time until an event is noticed. The outbox is polled, because it is the one place that all replicas write to. */
const POLL_INTERVAL_MS = 1_000;
/** Events that are being sent at a time. */
const CONCURRENCY = 8;
/** Twice as long as an attempt takes, because the clocks of replicas differ and databases are slow at times. */
const LEASE_MS = 2 * ATTEMPT_TIMEOUT_MS;

/**
 * Sends due events until stopped. Leases no more events than it can send at once, so no lease runs out while its event waits. Any number of
 * replicas may do this on one database. Stopping cuts attempts off; they are made again.
 */
export function startDispatcher(
  deps: DeliveryDeps,
  { pollIntervalMs = POLL_INTERVAL_MS, leaseMs = LEASE_MS } = {},
): { stop(): Promise<void> } {
  const { outbox, now, log } = deps;
  const stop = new AbortController();
  const sendings = new Set<Promise<void>>();
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
      await Promise.all(sendings);
    },
  };

  function fill(): void {
    filling ??= leaseAndSend().finally(() => {
      filling = undefined;
    });
  }

  async function leaseAndSend(): Promise<void> {
    try {
      while (sendings.size < CONCURRENCY && !stop.signal.aborted && now() >= quietUntil) {
        const events = await outbox.lease(now(), now() + leaseMs, CONCURRENCY - sendings.size);
        if (events.length === 0) return;
        for (const event of events) send(event);
      }
    } catch (error) {
      log.error({ err: error }, 'the database could not be asked which events are due; trying again');
    }
  }

  function send(event: WebhookEvent): void {
    const sending = deliver(deps, event, stop.signal)
      .then(noteOutcome)
      .catch((error: unknown) => {
        log.error({ eventId: event.eventId, err: error }, 'the outcome of a delivery was not recorded; the event is sent again');
      })
      .finally(() => {
        sendings.delete(sending);
        if (!stop.signal.aborted) fill();
      });
    sendings.add(sending);
  }

  /** Logs once when deliveries begin to fail and once when they succeed again, not for every event. */
  function noteOutcome({ delivered, error, askedMs }: Outcome): void {
    if (askedMs > 0) quietUntil = Math.max(quietUntil, now() + Math.min(askedMs, LONGEST_WAIT_MS));
    if (delivered && isFailing) log.info({}, 'the webhook accepts events again');
    if (error !== undefined && !isFailing)
      log.warn({ error }, 'the webhook does not accept events; they are sent again for 24 hours');
    if (delivered || error !== undefined) isFailing = !delivered;
  }
}
