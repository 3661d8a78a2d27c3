import { nextStatus } from '../../session/machine.ts';
import type { Instant, UploadSession } from '../../session/session.ts';
import type { SessionRecords } from '../../session-store/port/sessions.ts';

const PAGE = 200;

export interface AbortedSessions {
  /** Ids of the sessions that are `aborting` now. */
  readonly aborting: readonly string[];
  readonly completing: number;
}

/**
 * Stores the intent to abort with each unfinished session of an owner, and nothing else, because this runs without an object store. The
 * sweeper of a server does the rest. A session that is being completed goes on: its object may exist already.
 */
export async function abortSessionsOf(sessions: SessionRecords, owner: string, now: () => Instant): Promise<AbortedSessions> {
  const aborting: string[] = [];
  // Sessions in `creating` first, because one of them may become open meanwhile.
  for (const status of ['creating', 'open'] as const) {
    for await (const session of everySession(sessions, owner, status)) {
      if (await requestAbort(sessions, session, now)) aborting.push(session.sessionId);
    }
  }
  let completing = 0;
  for await (const _ of everySession(sessions, owner, 'completing')) completing++;
  return { aborting, completing };
}

async function* everySession(
  sessions: SessionRecords,
  owner: string,
  status: UploadSession['status'],
): AsyncGenerator<UploadSession> {
  let cursor: string | null | undefined;
  do {
    const page = await sessions.list({ owner, status, keyPrefix: '', limit: PAGE, ...(cursor && { cursor }) });
    yield* page.sessions;
    cursor = page.nextCursor;
  } while (cursor !== null);
}

/** Stores the intent. If another request changes the session at the same moment, its new status decides. */
async function requestAbort(sessions: SessionRecords, found: UploadSession, now: () => Instant): Promise<boolean> {
  for (let current: UploadSession | undefined = found; current !== undefined; current = await sessions.get(found.sessionId)) {
    const { sessionId, status, generation } = current;
    const to = nextStatus(status, 'end-requested');
    if (to === undefined) return false;
    if (await sessions.changeStatus({ sessionId, status, generation }, { to, at: now(), endsAs: 'aborted' })) return true;
  }
  return false;
}
