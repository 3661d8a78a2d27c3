import { ObjectStoreError } from '../../object-store/port.ts';
import { isTerminal } from '../../session/machine.ts';
import type { StoredPart, UploadSession } from '../../session/session.ts';
import type { ServiceDeps } from '../core/deps.ts';
import type { SingleFlight } from '../core/single-flight.ts';
import { finishIfStored, listStoredParts, missingParts, refuse } from './complete.ts';
import { ensureOpen, heal, mustGet, notOpen } from './transitions.ts';

export interface Reconciled {
  readonly session: UploadSession;
  readonly parts: readonly StoredPart[];
}

/**
 * Makes the record what the store says. A lost upload heals; an object that is there already completes the session; parts that were lost by a
 * broken Complete open it again.
 * @param completions The running completions of this server, by session id.
 */
export async function reconcile(
  deps: ServiceDeps,
  completions: SingleFlight<UploadSession>,
  sessionId: string,
): Promise<Reconciled> {
  const found = await mustGet(deps, sessionId);
  if (found.status === 'completed') return { session: found, parts: await recordedParts(deps, found) };
  if (isTerminal(found.status) || found.status === 'aborting') throw notOpen(found);
  const session = found.status === 'creating' ? await ensureOpen(deps, found) : found;
  try {
    const parts = await listStoredParts(deps, session);
    await deps.sessions.touch(session.sessionId, deps.now());
    if (session.status !== 'completing' || missingParts(session, parts).length === 0) return { session, parts };
    return finishOr(deps, completions, 'reopen', session, (current) => refuse(deps, current));
  } catch (error) {
    if (!(error instanceof ObjectStoreError) || error.failure !== 'upload-missing') throw error;
    return finishOr(deps, completions, 'heal', session, (current) => heal(deps, current));
  }
}

/**
 * Completes the session if its object is there, and calls `other` if not. Never beside a Complete of this server, whose object may be
 * about to appear and whose upload must not be aborted now.
 */
async function finishOr(
  deps: ServiceDeps,
  completions: SingleFlight<UploadSession>,
  what: string,
  found: UploadSession,
  other: (session: UploadSession) => Promise<UploadSession>,
): Promise<Reconciled> {
  const session = await completions.run(found.sessionId, what, async () => {
    const current = await mustGet(deps, found.sessionId);
    if (current.status === 'completed' || current.generation !== found.generation) return current;
    if (current.status !== 'open' && current.status !== 'completing') throw notOpen(current);
    return (await finishIfStored(deps, current)) ?? other(current);
  });
  const parts = session.status === 'completed' ? await recordedParts(deps, session) : await listStoredParts(deps, session);
  return { session, parts };
}

function recordedParts({ sessions }: ServiceDeps, { sessionId, generation }: UploadSession) {
  return sessions.listParts(sessionId, generation);
}
