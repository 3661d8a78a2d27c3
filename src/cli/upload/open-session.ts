import { type RemainingWork, remainingWork } from '../../client/transfer/upload-result.ts';
import { isSessionId } from '../../contract/paths.ts';
import type * as wire from '../../contract/wire.ts';
import type { JournalEntry } from '../journal/journal-entry.ts';
import type { KnownSubject } from './attempt.ts';
import type { UploadSetup } from './upload-setup.ts';

export interface FoundSession {
  readonly session: wire.Session;
  /** False where the session was there before. */
  readonly created: boolean;
}

/** A session that has not ended without an object, with what this machine remembers of it. */
export interface OpenedSession extends FoundSession {
  readonly remaining: RemainingWork;
  readonly entry: JournalEntry | undefined;
}

/**
 * Finds a session from the server, judges it, and reads its journal entry: the only place where `upload` and `resume` do so.
 * From here on, failures are about this session.
 * @throws UploadError `SESSION_NOT_OPEN` where it was aborted or has expired.
 */
export async function openSession(
  find: () => Promise<FoundSession>,
  subject: KnownSubject,
  { journal }: Pick<UploadSetup, 'journal'>,
): Promise<OpenedSession> {
  const found = await find().catch((error: unknown) => {
    // 409 SESSION_PLAN_DIFFERS and SESSION_ATTRIBUTES_DIFFER name the session that the flags do not fit.
    subject.learn(sessionNamedBy(error));
    throw error;
  });
  const { session } = found;
  const remaining = remainingWork(session);
  subject.learn({ sessionId: session.sessionId, session });
  return { ...found, remaining, entry: await journal.read(session.sessionId) };
}

function sessionNamedBy(error: unknown): { sessionId?: string } {
  const { sessionId } = (error as { facts?: { sessionId?: unknown } }).facts ?? {};
  return isSessionId(sessionId) ? { sessionId } : {};
}
