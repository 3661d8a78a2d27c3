import { canChange, canSee, type Grant, hasScope, type Scope } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import type { UploadSession } from '../../session/session.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { sessionNotFound } from '../lifecycle/transitions.ts';

/** A caller's grant and address: the service decides by the grant, and the audit log records both. */
export interface Caller {
  readonly grant: Grant;
  readonly address: string;
  readonly requestId: string;
}

/** @throws UploadError `SESSION_NOT_FOUND`, also where the session exists but the caller may not see it: the caller learns nothing about it. */
export async function mustSee(deps: ServiceDeps, { grant }: Caller, sessionId: string): Promise<UploadSession> {
  const session = await deps.sessions.get(sessionId);
  if (session === undefined || !canSee(grant, session)) throw sessionNotFound(sessionId);
  return session;
}

/** @throws UploadError `SESSION_NOT_FOUND`, or `FORBIDDEN` where the caller may see the session but not change it. */
export async function mustChange(deps: ServiceDeps, caller: Caller, sessionId: string): Promise<UploadSession> {
  const session = await mustSee(deps, caller, sessionId);
  if (canChange(caller.grant, session)) return session;
  throw forbidden(`The token "${caller.grant.owner}" may read the session ${sessionId}, but not change it.`);
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

/** Guards what concerns all buckets and keys at once. @throws UploadError `FORBIDDEN` */
export function mustBeUnlimited({ owner, limits: { bucket, keyPrefix } }: Grant): void {
  if (bucket === null && keyPrefix === '') return;
  throw forbidden(`The token "${owner}" is limited to a bucket or a key prefix; this request concerns the whole server.`);
}

function forbidden(detail: string): UploadError {
  return new UploadError('FORBIDDEN', detail, {
    hint: 'The administrator of the server can make another token: partway token create',
  });
}
