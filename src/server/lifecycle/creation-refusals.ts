import type { Grant } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import type { ServiceDeps } from '../core/deps.ts';

export function outsideOfServer(keyPrefix: string): UploadError {
  return new UploadError('KEY_NOT_ALLOWED', `This server writes only keys that start with "${keyPrefix}".`, {
    facts: { keyPrefix },
  });
}

/** Somebody else's key is named only where the caller might have written it. */
export function keyConflict({ limits }: Grant, key: string, conflictingKey: string): UploadError {
  const named = conflictingKey.startsWith(limits.keyPrefix);
  return new UploadError(
    'KEY_CONFLICT',
    `The key ${key} cannot be used beside ${named ? conflictingKey : 'another key'}: one of the two objects would no longer be listed.`,
    named ? { facts: { conflictingKey } } : {},
  );
}

export async function limitReached(
  { sessions }: ServiceDeps,
  { owner, limits }: Grant,
  limit: 'quota-exceeded' | 'too-many-sessions',
  size: number,
): Promise<UploadError> {
  const { openSessions, reservedBytes, settledBytes } = await sessions.usageOf(owner);
  if (limit === 'too-many-sessions') {
    const { maxOpenSessions } = limits;
    return new UploadError(
      'TOO_MANY_SESSIONS',
      `"${owner}" has ${openSessions} unfinished sessions and may have ${maxOpenSessions}.`,
      {
        facts: { openSessions, maxOpenSessions },
      },
    );
  }
  const { quotaBytes } = limits;
  return new UploadError(
    'QUOTA_EXCEEDED',
    `The file has ${size} bytes, and of the ${quotaBytes} bytes of "${owner}", ${settledBytes} are used and ${reservedBytes} reserved.`,
    { facts: { quotaBytes, reservedBytes, settledBytes } },
  );
}
