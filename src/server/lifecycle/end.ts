import { isTerminal } from '../../session/machine.ts';
import type { EndsAs, UploadSession } from '../../session/session.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { apply, expected, mustGet, releaseUpload } from './transitions.ts';

/** Aborts or expires a session in the same two steps, with `aborting` stored between them. Never touches an object. */
export async function end(deps: ServiceDeps, session: UploadSession, endsAs: EndsAs): Promise<UploadSession> {
  if (session.status === 'aborted' || session.status === 'expired') return session;
  const ending = session.status === 'aborting' ? session : await apply(deps, session, 'end-requested', { endsAs });
  return finishEnding(deps, ending);
}

/** Finishes a session that was found `aborting`: deletes its upload at the object store, then stores the end. */
export async function finishEnding(deps: ServiceDeps, session: UploadSession): Promise<UploadSession> {
  if (session.uploadId === null) await deps.sessions.suspectOrphan(session.sessionId, deps.now());
  await releaseUpload(deps, session);
  const to = session.endsAs ?? 'aborted';
  const changed = await deps.sessions.changeStatus(expected(session), { to, at: deps.now() });
  const current = await mustGet(deps, session.sessionId);
  if (changed) deps.audit(to, current);
  // If this call did not change it but it has ended, another request was faster, which is as good.
  if (changed || isTerminal(current.status)) return current;
  throw new Error(`session ${session.sessionId} left "aborting" for "${current.status}"`);
}
