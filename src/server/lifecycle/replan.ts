import type * as wire from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { planParts } from '../../session/part-plan.ts';
import type { UploadSession } from '../../session/session.ts';
import { chooseStrategy } from '../../session/strategy.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { listStoredParts } from './complete.ts';
import { ensureOpen, replan } from './transitions.ts';

/**
 * Cuts the file of a session differently, as its next generation, for a client whose parts do not get through. Refused where the store
 * holds a part of it: a plan never changes under stored parts.
 * @throws UploadError `SESSION_PLAN_DIFFERS` where parts are stored, `INVALID_PLAN`, `SESSION_NOT_OPEN`
 */
export async function replanUpload(
  deps: ServiceDeps,
  found: UploadSession,
  { strategy, partSize }: wire.PlanRequest,
): Promise<UploadSession> {
  const chosen = strategy ?? (partSize === undefined ? chooseStrategy(found.size, 'reliable') : 'multipart');
  const plan = planParts(found.size, chosen, partSize);
  const session = await ensureOpen(deps, found);
  if (plan.strategy === session.plan.strategy && plan.partSize === session.plan.partSize) return session;
  const stored = await listStoredParts(deps, session);
  if (stored.length === 0) return replan(deps, session, plan, {});
  throw new UploadError(
    'SESSION_PLAN_DIFFERS',
    `The session ${session.sessionId} has ${stored.length} stored parts of ${session.plan.partSize} bytes, so its plan cannot change.`,
    { hint: 'Go on with its present plan, or abort it and upload the file again.', facts: { sessionId: session.sessionId } },
  );
}
