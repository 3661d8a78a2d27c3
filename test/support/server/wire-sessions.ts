import type { Progress, Session } from '../../../src/contract/wire.ts';
import { MiB } from '../../../src/session/part-plan.ts';

/** Returns a session as the control plane sends it. */
export function aWireSession(overrides: Partial<Session> = {}): Session {
  const { size = 160 * MiB, partSize = 16 * MiB } = overrides;
  return {
    sessionId: 'ses_01kaz3v8f6q2m4n7x9y0w5r1td',
    status: 'open',
    bucket: 'videos',
    key: 'C0142.MOV',
    fileName: 'C0142.MOV',
    size,
    strategy: 'multipart',
    partSize,
    partCount: Math.max(1, Math.ceil(size / partSize)),
    storedBytes: 0,
    partsStored: 0,
    etag: null,
    checksum: null,
    createdAt: '2026-11-23T12:00:00.000Z',
    expiresAt: '2026-11-30T12:00:00.000Z',
    partsKeptUntil: '2026-12-23T12:00:00.000Z',
    ...overrides,
  };
}

export function aWireProgress(session: Session, overrides: Partial<Progress> = {}): Progress {
  const { sessionId, status, size, storedBytes, partsStored, partCount } = session;
  const rest = { inFlightBytes: 0, bytesPerSecond: 0, secondsRemaining: null, updatedAt: '2026-11-23T12:00:00.000Z' };
  return { sessionId, status, size, storedBytes, partsStored, partCount, ...rest, ...overrides };
}
