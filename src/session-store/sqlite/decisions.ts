import { parentsOf } from '../../session/object-key.ts';
import { type ClientReport, REMEMBERED_CLIENTS, type ReportAnswer } from '../port/parts.ts';
import type { IdempotencyRecord, InsertOutcome, NewSession, OwnerLimits } from '../port/sessions.ts';
import { SQLITE_DIALECT, type Statements } from './statements.ts';

/* Decisions that are read and made within one transaction. */

export function findRefusal(
  statements: Statements,
  session: NewSession,
  idempotency?: IdempotencyRecord,
  limits?: OwnerLimits,
): InsertOutcome | undefined {
  const { owner, size, bucket, key } = session;
  if (idempotency !== undefined && statements.findByIdempotencyKey.get({ owner, key: idempotency.key }) !== undefined)
    return { outcome: 'taken' };
  if (session.fingerprint !== null && statements.findRunning.get(session) !== undefined) return { outcome: 'taken' };
  const parents = SQLITE_DIALECT.toList(parentsOf(key));
  const conflict = statements.findKeyConflict.get({ bucket, key, parents, since: session.createdAt });
  if (conflict !== undefined) return { outcome: 'key-conflict', ...conflict };
  const excess = limits && statements.findExcess.get({ owner, size, ...limits });
  if (excess?.overQuota) return { outcome: 'quota-exceeded' };
  return excess?.overSessions ? { outcome: 'too-many-sessions' } : undefined;
}

export function recordReport(statements: Statements, report: ClientReport): ReportAnswer['outcome'] {
  const session = statements.readOwnership.get(report);
  if (session === undefined) throw new Error(`no session ${report.sessionId} on record`);

  const newest = session.newest ?? 0;
  if (session.ordinal !== null && session.ordinal < newest) return 'replaced';
  if (session.ordinal === null) {
    const ordinal = newest + 1;
    statements.insertClient.run({ ...report, ordinal });
    statements.deleteOldClients.run({ sessionId: report.sessionId, ordinal: ordinal - REMEMBERED_CLIENTS });
  }

  if (session.generation !== report.generation || !session.opened) {
    statements.touch.run(report);
    return 'stale';
  }
  const { sessionId, generation, at } = report;
  for (const part of report.parts) statements.reportPart.run({ ...part, sessionId, generation, at });
  statements.recordFigures.run(report);
  return 'recorded';
}
