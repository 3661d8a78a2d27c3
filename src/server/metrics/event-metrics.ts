import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Instant } from '../../session/session.ts';
import type { Backlog } from '../../session-store/port/outbox.ts';
import type { DeliveryListener } from '../webhooks/delivery.ts';

/** A receiver that only stores the event answers in milliseconds; an attempt times out after 15 seconds. */
const SECONDS = [0.01, 0.05, 0.1, 0.25, 1, 5, 15];
const OUTCOMES = ['delivered', 'failed', 'dead'] as const;

/** Counts deliveries as they happen, and shows the backlog as the session store has it. */
export function createEventMetrics(registry: Registry) {
  const registers = [registry];
  const deliveries = new Counter({
    name: 'partway_event_deliveries_total',
    help: 'Attempts to deliver an event, by outcome: delivered, failed (it is sent again), dead (it failed for the last time).',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'partway_event_delivery_duration_seconds',
    help: 'Time that attempts to deliver an event took, failed ones included.',
    buckets: SECONDS,
    registers,
  });
  const events = new Gauge({
    name: 'partway_events',
    help: 'Events that the webhook has not taken, by status: pending, dead. Left out without a webhook.',
    labelNames: ['status'],
    registers,
  });
  const oldest = new Gauge({
    name: 'partway_event_oldest_pending_seconds',
    help: 'How long ago the oldest event happened that is pending; 0 where none is. Left out without a webhook.',
    registers,
  });
  for (const outcome of OUTCOMES) deliveries.inc({ outcome }, 0);

  const delivered: DeliveryListener = ({ outcome, ms }) => {
    deliveries.inc({ outcome });
    seconds.observe(ms / 1_000);
  };
  return {
    delivered,
    /** Shows nothing where the backlog is unknown, or there is no webhook. */
    showBacklog(backlog: Backlog | undefined, now: Instant): void {
      events.reset();
      oldest.remove();
      if (backlog === undefined) return;
      events.set({ status: 'pending' }, backlog.pending);
      events.set({ status: 'dead' }, backlog.dead);
      oldest.set(backlog.oldestPendingAt === null ? 0 : Math.max(0, now - backlog.oldestPendingAt) / 1_000);
    },
  };
}
