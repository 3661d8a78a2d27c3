import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type * as wire from '../../contract/wire.ts';
import { partRange } from '../../session/part-plan.ts';
import type { UploadSession } from '../../session/session.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { toIso } from '../core/views.ts';
import { objectsOf } from './transitions.ts';

/** Takes 4 ms, during which no other request is answered. */
const SIGNED_AT_A_TIME = 100;

/** Presigns parts of the session's current multipart upload. Expects part numbers that the session has. */
export async function presignParts(
  deps: Pick<ServiceDeps, 'objects' | 'policy'>,
  session: UploadSession,
  { partNumbers, checksums }: wire.PresignRequest,
): Promise<wire.PresignedPart[]> {
  const parts: wire.PresignedPart[] = [];
  for (const partNumber of partNumbers) {
    if (parts.length > 0 && parts.length % SIGNED_AT_A_TIME === 0) await yieldToEventLoop();
    parts.push(await presignPart(deps, session, partNumber, checksums?.[String(partNumber)]));
  }
  return parts;
}

async function presignPart(
  deps: Pick<ServiceDeps, 'objects' | 'policy'>,
  session: UploadSession,
  partNumber: number,
  checksum: string | undefined,
): Promise<wire.PresignedPart> {
  const { start, end } = partRange(session.plan, session.size, partNumber);
  const presigned = await objectsOf(deps, session).presignPart({
    key: session.key,
    uploadId: session.uploadId ?? '',
    partNumber,
    contentLength: end - start,
    expiresInSeconds: deps.policy.urlTtlSeconds,
    ...(checksum === undefined ? {} : { checksum }),
  });
  return {
    partNumber,
    method: 'PUT',
    url: presigned.url,
    headers: presigned.headers,
    start,
    end,
    expiresAt: toIso(presigned.expiresAt),
  };
}
