import { formatInstant } from '../format/durations.ts';
import { formatSize } from '../format/sizes.ts';
import type { TokenWithUsage as Token } from './host.ts';

/** Returns one line for each limit of the token. */
export function describeLimits({ limits, expiresAt }: Pick<Token, 'limits' | 'expiresAt'>): string[] {
  const { bucket, keyPrefix, contentTypes, maxObjectSize, quotaBytes, maxOpenSessions } = limits;
  return [
    bucket === null ? undefined : `bucket ${bucket}`,
    keyPrefix === '' ? undefined : `keys ${keyPrefix}…`,
    contentTypes === null ? undefined : contentTypes.join(', '),
    maxObjectSize === null ? undefined : `files up to ${formatSize(maxObjectSize)}`,
    quotaBytes === null ? undefined : `${formatSize(quotaBytes)} in all`,
    maxOpenSessions === null ? undefined : `${maxOpenSessions} sessions at once`,
    expiresAt === null ? undefined : `until ${formatInstant(new Date(expiresAt))}`,
  ].filter((line) => line !== undefined);
}

export function stateOf({ revokedAt, expiresAt }: Pick<Token, 'revokedAt' | 'expiresAt'>, now: number): string {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'valid';
}
