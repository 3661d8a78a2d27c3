import type * as wire from '../../contract/wire.ts';
import { isTerminal } from '../../session/machine.ts';
import type { Instant, UploadSession } from '../../session/session.ts';
import type { Policy } from './deps.ts';

/** Clients report every 2 s while they send. After this long without a report, nothing is considered in flight. */
const REPORT_FRESH_MS = 15_000;

export function toIso(instant: Instant): string {
  return new Date(instant).toISOString();
}

/** Shows a session as the wire has it. */
export function sessionView(session: UploadSession, policy: Policy): wire.Session {
  return {
    sessionId: session.sessionId,
    status: session.status,
    bucket: session.bucket,
    key: session.key,
    fileName: session.fileName,
    size: session.size,
    strategy: session.plan.strategy,
    partSize: session.plan.partSize,
    partCount: session.plan.partCount,
    storedBytes: storedBytes(session),
    partsStored: partsStored(session),
    etag: session.etag,
    checksum: session.status === 'completed' ? session.checksum : null,
    createdAt: toIso(session.createdAt),
    expiresAt: isTerminal(session.status) ? null : toIso(session.lastActivityAt + policy.sessionTtlMs),
    partsKeptUntil: partsKeptUntil(session, policy),
  };
}

function partsKeptUntil(session: UploadSession, policy: Policy): string | null {
  if (session.uploadInitiatedAt === null || isTerminal(session.status)) return null;
  return toIso(session.uploadInitiatedAt + policy.staleUploadsExpiryMs);
}

export function progressView(session: UploadSession, now: Instant): wire.Progress {
  const stored = storedBytes(session);
  const alive = !isTerminal(session.status) && session.reportedAt !== null && now - session.reportedAt < REPORT_FRESH_MS;
  const inFlightBytes = alive ? Math.min(session.inFlightBytes, session.size - stored) : 0;
  const bytesPerSecond = alive ? session.bytesPerSecond : 0;
  return {
    sessionId: session.sessionId,
    status: session.status,
    size: session.size,
    storedBytes: stored,
    inFlightBytes,
    partsStored: partsStored(session),
    partCount: session.plan.partCount,
    bytesPerSecond,
    secondsRemaining: secondsRemaining(session, stored + inFlightBytes, bytesPerSecond),
    updatedAt: toIso(Math.max(session.updatedAt, session.lastActivityAt, session.reportedAt ?? 0)),
  };
}

function secondsRemaining(session: UploadSession, done: number, bytesPerSecond: number): number | null {
  if (session.status === 'completed') return 0;
  return bytesPerSecond > 0 ? Math.ceil((session.size - done) / bytesPerSecond) : null;
}

/** An aborted or expired session holds nothing at the store, whatever its part rows still say. */
function storedBytes(session: UploadSession): number {
  if (session.status === 'completed') return session.size;
  return session.status === 'aborted' || session.status === 'expired' ? 0 : session.storedBytes;
}

function partsStored(session: UploadSession): number {
  if (session.status === 'completed') return session.plan.partCount;
  return session.status === 'aborted' || session.status === 'expired' ? 0 : session.partsStored;
}
