import { z } from 'zod';
import { CHECKSUM } from '../session/checksum.ts';
import { SERVICE_ERROR_CODES } from '../session/errors.ts';
import { STATUSES } from '../session/machine.ts';
import { DISPOSITIONS } from '../session/object-attributes.ts';
import { UNPRINTABLE } from '../session/object-key.ts';
import { S3_LIMITS } from '../session/part-plan.ts';
import { STRATEGIES } from '../session/strategy.ts';
import { bytes, crc32, etag, instant, metadata, partNumber, tags } from './fields.ts';
import { firstFaultArray, firstFaultRecord } from './first-fault.ts';
import { MAX_CAPABILITY_SECONDS, MAX_LIST_PAGE, MAX_PRESIGN_BATCH } from './paths.ts';

/** `ses_` and 26 characters of Crockford base32 in lower case. Any other text is answered like an unknown id. */
export const sessionId = z
  .string()
  .min(1)
  .max(100)
  .meta({ description: 'The id of an upload session', example: 'ses_01kaz3v8f6q2m4n7x9y0w5r1td' });

export const partNumberRange = z
  .object({ first: partNumber, last: partNumber })
  .meta({ id: 'PartNumberRange', description: 'Consecutive part numbers, both ends included' });

export const createRequest = z
  .strictObject({
    fileName: z
      .string()
      .min(1)
      .max(1_024)
      .refine((name) => !UNPRINTABLE.test(name), 'must not hold control characters'),
    size: bytes.max(S3_LIMITS.maxObjectSize).meta({ description: 'Bytes' }),
    contentType: z
      .string()
      .max(200)
      // A header at the object store: one line of ASCII.
      .regex(/^[\w.+-]+\/[\w.+-]+(?:[ \t]*;[ \t]*[\w.+-]+=(?:[\w.+-]+|"[ !#-[\]-~]*"))*$/)
      .optional(),
    contentTypeGuessed: z.boolean().optional().meta({
      description:
        'True if the client guessed `contentType`, for example from the file name: a new session gets it, and an existing session of the same file keeps its own. If false, `contentType` was asked for, and a session with stored parts and another type answers 409',
    }),
    key: z.string().max(1_024).optional().meta({ description: 'Object key; the file name if omitted' }),
    keyTemplate: z.string().min(1).max(1_024).optional().meta({
      description: 'Template of the object key with {date}, {sessionId}, {fileName} and {owner}; not together with `key`',
    }),
    metadata: metadata.optional(),
    tags: tags.optional(),
    contentDisposition: z
      .enum(DISPOSITIONS)
      .optional()
      .meta({ description: 'Whether browsers show the object or save it under its file name; no such header if omitted' }),
    strategy: z.enum(STRATEGIES).optional(),
    partSize: bytes.optional(),
    bytesPerSecond: z
      .number()
      .positive()
      .optional()
      .meta({ description: 'Expected speed of the link: a new plan gets parts that take seconds rather than minutes' }),
    fingerprint: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'Opaque; finds the open session of the same file again' }),
    overwrite: z.boolean().optional(),
  })
  .refine(({ key, keyTemplate }) => key === undefined || keyTemplate === undefined, {
    path: ['keyTemplate'],
    error: 'cannot be given together with `key`',
  })
  .meta({ id: 'CreateUpload' });

export const session = z
  .object({
    sessionId,
    status: z.enum(STATUSES),
    bucket: z.string(),
    key: z.string(),
    fileName: z.string(),
    size: bytes,
    strategy: z.enum(STRATEGIES),
    partSize: bytes,
    partCount: partNumber,
    storedBytes: bytes,
    partsStored: z.number().int().nonnegative(),
    etag: etag.nullable(),
    checksum: crc32.nullable().meta({ description: 'CRC32 of the whole object, once completed' }),
    createdAt: instant,
    expiresAt: instant.nullable().meta({ description: 'When the session expires if it is not used; null when it has ended' }),
    partsKeptUntil: instant
      .nullable()
      .meta({ description: 'When the object store itself may delete the parts; null when it holds none' }),
  })
  .meta({ id: 'UploadSession' });

export const sessionList = z
  .object({ uploads: z.array(session), nextCursor: z.string().nullable() })
  .meta({ id: 'UploadSessionList' });

export const listQuery = z.object({
  status: z.enum(STATUSES).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIST_PAGE).default(50),
  cursor: z.string().max(200).optional(),
});

export const presignRequest = z
  .strictObject({
    partNumbers: firstFaultArray(partNumber, MAX_PRESIGN_BATCH)
      .min(1)
      .refine((numbers) => new Set(numbers).size === numbers.length, 'part numbers must not repeat'),
    checksums: firstFaultRecord(z.string().regex(/^[1-9]\d{0,4}$/), crc32)
      .optional()
      .meta({ description: 'CRC32 by part number. With it, the URL accepts these bytes and no others.' }),
  })
  .meta({ id: 'PresignParts' });

export const presignedPart = z
  .object({
    partNumber,
    method: z.literal('PUT'),
    url: z.string(),
    headers: z.record(z.string(), z.string()).meta({
      description: `All headers to send. Without \`checksums\`, add \`${CHECKSUM.header}\` with the ${CHECKSUM.algorithm} of the bytes: the object store requires it.`,
    }),
    start: bytes.meta({ description: 'First byte of the file to send' }),
    end: bytes.meta({ description: 'One past the last byte' }),
    expiresAt: instant,
  })
  .meta({ id: 'PresignedPart' });

export const presignResponse = z.object({ parts: z.array(presignedPart) }).meta({ id: 'PresignedParts' });

export const storedPart = z.object({ partNumber, etag, checksum: crc32.nullable(), size: bytes }).meta({ id: 'StoredPart' });

export const partsResponse = z
  .object({
    sessionId,
    status: z.enum(STATUSES),
    storedBytes: bytes,
    parts: z.array(storedPart).meta({ description: 'Stored as planned' }),
    missing: z.array(partNumberRange).meta({ description: 'All other parts of the plan, including those in `unproven`' }),
    unproven: z.array(storedPart).meta({
      description:
        'Parts that the object store lists with a size other than planned, or without a CRC32. Sending one again helps only if it was sent wrongly, or without a CRC32',
    }),
    generation: z.number().int().positive().meta({
      description:
        'Grows when the object store loses the multipart upload, or the plan changes: parts of an earlier generation are gone',
    }),
  })
  .meta({ id: 'PartList', description: 'The parts that the object store holds' });

export const planRequest = z
  .strictObject({ strategy: z.enum(STRATEGIES).optional(), partSize: bytes.optional() })
  .meta({ id: 'PlanParts', description: 'How to cut the file from now on; omitted fields are chosen as for a new session' });

export const reportRequest = z
  .strictObject({
    clientId: z.string().min(1).max(100),
    parts: firstFaultArray(z.strictObject({ partNumber, etag, checksum: crc32.optional() }), S3_LIMITS.maxPartCount).default([]),
    inFlightBytes: bytes.default(0),
    bytesPerSecond: z.number().nonnegative().finite().default(0),
  })
  .meta({ id: 'Report', description: 'What a client has stored and has in flight: for progress watchers, never as proof' });

export const completeRequest = z
  .strictObject({
    checksum: crc32.optional().meta({ description: 'CRC32 of the whole file' }),
    parts: firstFaultArray(z.object({ partNumber, etag }), S3_LIMITS.maxPartCount).optional(),
  })
  .meta({ id: 'CompleteUpload' });

export const progress = z
  .object({
    sessionId,
    status: z.enum(STATUSES),
    size: bytes,
    storedBytes: bytes,
    inFlightBytes: bytes,
    partsStored: z.number().int().nonnegative(),
    partCount: partNumber,
    bytesPerSecond: z.number().nonnegative(),
    secondsRemaining: z.number().nonnegative().nullable(),
    updatedAt: instant,
  })
  .meta({ id: 'Progress' });

export const capabilityRequest = z
  .strictObject({
    expiresInSeconds: z.number().int().min(60).max(MAX_CAPABILITY_SECONDS).optional().meta({
      description: 'Life of the token; that of an idle session if omitted. It never outlives the token that grants it',
    }),
  })
  .meta({ id: 'GrantCapability' });

export const capability = z
  .object({
    capabilityId: z.string().meta({ description: 'Names the token in the audit log' }),
    token: z.string().meta({ description: 'For `Authorization: Bearer`; only its hash is stored' }),
    basePath: z
      .string()
      .meta({ description: 'Prefix for the path of any operation on the session, for clients that cannot send headers' }),
    sessionId,
    expiresAt: instant,
  })
  .meta({ id: 'Capability' });

export const storedObject = z
  .object({
    sessionId,
    bucket: z.string(),
    key: z.string(),
    size: bytes,
    etag,
    checksum: crc32.nullable(),
    uploadedBySession: z.boolean().meta({ description: 'Whether the object has the id of this session in its metadata' }),
    sinceCompletion: z
      .object({
        rewritten: z.boolean().meta({ description: 'The ETag is different: the object was written again' }),
        sameSize: z.boolean(),
        sameChecksum: z.boolean().meta({ description: 'Compared by CRC32, which detects accidents but not malice' }),
      })
      .nullable()
      .optional()
      .meta({ description: 'The object compared with the record of its completion; null before completion' }),
  })
  .meta({ id: 'StoredObject', description: 'The object as the object store describes it now' });

export const storeReport = z
  .object({
    bucket: z.string(),
    keyPrefix: z.string().meta({ description: 'All keys of this server begin with this prefix' }),
    signing: z
      .object({
        credentials: z.enum(['sts', 'key', 'shared']).meta({
          description: 'A temporary session that can only put, a separate key pair, or the key of the server itself',
        }),
        expiresAt: instant.nullable().meta({ description: 'When the session ends; null for keys' }),
        canRead: z.boolean(),
        canList: z.boolean(),
        canDelete: z.boolean(),
      })
      .meta({
        description:
          'The credentials that sign part URLs, and their other rights, tried at the object store within the last minute',
      }),
    forgedWrites: z.enum(['open', 'shielded', 'no-hole', 'no-such-id', 'unknown']).optional().meta({
      description:
        'Whether the object store accepts a write with a forged signature, tried by the server: open; refused by a policy or a proxy (shielded); the signature is checked (no-hole); otherwise unknown',
    }),
    corsOrigins: z.array(z.string()).optional().meta({
      description: 'Origins whose pages may call this API; `*` is any. The object store must let their pages send parts',
    }),
  })
  .meta({ id: 'StoreReport' });

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().meta({ description: 'The id of the request, as in the log of the server' }),
    code: z.enum(SERVICE_ERROR_CODES),
    hint: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
    missing: z.array(partNumberRange).optional(),
    unproven: z.array(partNumberRange).optional(),
    retryAfterSeconds: z.number().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' });

export const readiness = z
  .object({
    ready: z.boolean(),
    checks: z.record(
      z.string(),
      z.object({ ok: z.boolean(), code: z.enum(SERVICE_ERROR_CODES).optional(), detail: z.string().optional() }),
    ),
  })
  .meta({ id: 'Readiness' });
