import type * as wire from '../../../contract/wire.ts';
import type { ServiceErrorCode } from '../../../session/errors.ts';
import { flag, instant, list, nullable, object, oneOf, optional, type Read, record, text } from './read.ts';
import { bucket, bytes, crc32, etag, key, sessionId } from './session.ts';

type SinceCompletion = NonNullable<wire.StoredObject['sinceCompletion']>;

export const storedObject: Read<wire.StoredObject> = object<wire.StoredObject>({
  sessionId,
  bucket,
  key,
  size: bytes,
  etag,
  checksum: nullable(crc32),
  uploadedBySession: flag,
  sinceCompletion: optional(nullable(object<SinceCompletion>({ rewritten: flag, sameSize: flag, sameChecksum: flag }))),
});

/** The token and the path are meant to be pasted, so each is one word. */
export const capability: Read<wire.Capability> = object<wire.Capability>({
  capabilityId: text(100),
  token: text(500, /^[\w.~-]+$/),
  basePath: text(1_000, /^[\w./~-]+$/),
  sessionId,
  expiresAt: instant,
});

const MAX_ORIGINS = 1_000;

export const storeReport: Read<wire.StoreReport> = object<wire.StoreReport>({
  bucket,
  keyPrefix: key,
  signing: object<wire.StoreReport['signing']>({
    credentials: oneOf(['sts', 'key', 'shared']),
    expiresAt: nullable(instant),
    canRead: flag,
    canList: flag,
    canDelete: flag,
  }),
  forgedWrites: optional(oneOf(['open', 'shielded', 'no-hole', 'no-such-id', 'unknown'])),
  corsOrigins: optional(list(text(300), MAX_ORIGINS)),
});

const MAX_CHECKS = 50;

export const readiness: Read<wire.Readiness> = object<wire.Readiness>({
  ready: flag,
  checks: record(
    object<wire.Readiness['checks'][string]>({
      ok: flag,
      // A newer server may have codes that this version does not know.
      code: optional(text(100) as Read<ServiceErrorCode>),
      detail: optional(text(2_000)),
    }),
    MAX_CHECKS,
  ),
});
