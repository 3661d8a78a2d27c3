import { randomBytes } from 'node:crypto';
import { CAPABILITY_PATH } from '../../contract/paths.ts';
import type * as wire from '../../contract/wire.ts';
import { type Grant, MAX_CAPABILITIES } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import { isTerminal } from '../../session/machine.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { toIso } from '../core/views.ts';
import { notOpen } from '../lifecycle/transitions.ts';
import { CAPABILITY_PREFIX, hashToken, newToken } from './auth.ts';
import { type Caller, mustChange, mustHaveOneOf } from './caller.ts';

/**
 * Makes a token for one session, for a browser or a script. It lives as long as the request says, at most 30 days (contract), and never
 * longer than the token that grants it.
 */
export async function grantCapability(
  deps: ServiceDeps,
  caller: Caller,
  sessionId: string,
  { expiresInSeconds }: wire.CapabilityRequest,
): Promise<wire.Capability> {
  const { grant } = caller;
  const session = await mustChange(deps, caller, sessionId);
  // A capability has no scope, so it cannot grant another one.
  mustHaveOneOf(grant, 'upload');
  if (isTerminal(session.status)) throw notOpen(session);
  const createdAt = deps.now();
  const wanted = createdAt + (expiresInSeconds === undefined ? deps.policy.sessionTtlMs : expiresInSeconds * 1_000);
  const expiresAt = Math.min(wanted, grant.expiresAt ?? wanted);
  const token = newToken(CAPABILITY_PREFIX);
  const capabilityId = `cap_${randomBytes(8).toString('hex')}`;
  const hash = hashToken(token);
  const capability = { capabilityId, hash, sessionId, grantedBy: grant.tokenId, createdAt, expiresAt };
  if (!(await deps.sessions.insertCapability(capability, MAX_CAPABILITIES))) throw tooMany(grant);
  deps.audit('granted', session, { capabilityId });
  const basePath = CAPABILITY_PATH.replace('{capability}', token);
  return { capabilityId, token, basePath, sessionId, expiresAt: toIso(expiresAt) };
}

function tooMany({ owner }: Grant): UploadError {
  return new UploadError(
    'TOO_MANY_CAPABILITIES',
    `A token of "${owner}" has granted ${MAX_CAPABILITIES} capabilities that have not expired, and may have no more.`,
    { facts: { maxCapabilities: MAX_CAPABILITIES } },
  );
}
