import type { WebhookEvent } from '../../session/webhook-event.ts';
import { formatInstant } from '../format/durations.ts';
import { renderTable } from '../format/table.ts';

export function renderEvents(events: readonly WebhookEvent[]): string {
  if (events.length === 0) return 'No events.\n';
  const rows = events.map((event) => [
    event.eventId,
    event.type,
    event.status,
    formatInstant(new Date(event.createdAt)),
    String(event.attempts),
    event.status === 'pending' ? formatInstant(new Date(event.nextAttemptAt)) : '',
    event.session.sessionId,
    event.lastError ?? '',
  ]);
  return renderTable(['EVENT', 'TYPE', 'STATUS', 'HAPPENED', 'ATTEMPTS', 'NEXT', 'SESSION', 'LAST ERROR'], rows, [4]);
}

/** Renders an event as a line for programs, with instants as the wire writes them. */
export function eventLine(event: WebhookEvent): string {
  const { eventId, type, sequence, status, attempts, lastError, session } = event;
  const { sessionId, owner, bucket, key, size } = session;
  return `${JSON.stringify({
    eventId,
    type,
    sequence,
    status,
    createdAt: toIso(event.createdAt),
    attempts,
    nextAttemptAt: status === 'pending' ? toIso(event.nextAttemptAt) : null,
    settledAt: event.settledAt === null ? null : toIso(event.settledAt),
    lastError,
    sessionId,
    owner,
    bucket,
    key,
    size,
  })}\n`;
}

function toIso(instant: number): string {
  return new Date(instant).toISOString();
}
