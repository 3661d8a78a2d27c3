import { canChange, canSee, type Grant, hasScope, type Scope } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import type { UploadSession } from '../../session/session.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { sessionNotFound } from '../lifecycle/transitions.ts';

/** Who asks, and from where: what the service decides by, and what the audit log says. */
export interface Caller {
  readonly grant: Grant;
  readonly address: string;
  readonly requestId: string;
}

/** @throws UploadError `SESSION_NOT_FOUND` also where the session is somebody else's: whoever may not see it learns nothing. */
export async function mustSee(deps: ServiceDeps, { grant }: Caller, sessionId: string): Promise<UploadSession> {
  const session = await deps.sessions.get(sessionId);
  if (session === undefined || !canSee(grant, session)) throw sessionNotFound(sessionId);
  return session;
}

/** @throws UploadError `SESSION_NOT_FOUND`, or `FORBIDDEN` where the caller sees the session and may not touch it. */
export async function mustChange(deps: ServiceDeps, caller: Caller, sessionId: string): Promise<UploadSession> {
  const session = await mustSee(deps, caller, sessionId);
  if (canChange(caller.grant, session)) return session;
  throw forbidden(`The token "${caller.grant.owner}" may look at the session ${sessionId}, not change it.`);
}

/** A capability has no scope at all. @throws UploadError `FORBIDDEN` */
export function mustHaveOneOf(grant: Grant, ...scopes: readonly Scope[]): void {
  if (scopes.some((scope) => hasScope(grant, scope))) return;
  throw forbidden(
    grant.sessionId === null
      ? `The token "${grant.owner}" lacks the scope ${scopes.map((scope) => `"${scope}"`).join(' or ')}.`
      : `The token is for the session ${grant.sessionId} and nothing else.`,
  );
}

/** For what is about all buckets and keys at once. @throws UploadError `FORBIDDEN` */
export function mustBeUnlimited({ owner, limits: { bucket, keyPrefix } }: Grant): void {
  if (bucket === null && keyPrefix === '') return;
  throw forbidden(`The token "${owner}" is limited to a bucket or a key prefix; this is about everything.`);
}

function forbidden(detail: string): UploadError {
  return new UploadError('FORBIDDEN', detail, { hint: 'Whoever runs the server can make another token: partway token create' });
}
