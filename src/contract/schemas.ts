import { z } from 'zod';
import { CRC32_BASE64 } from '../session/crc32.ts';
import { SERVICE_ERROR_CODES } from '../session/errors.ts';
import { STATUSES } from '../session/machine.ts';
import { DISPOSITIONS, findMetadataFault, findTagsFault, METADATA_NAME } from '../session/object-attributes.ts';
import { UNPRINTABLE } from '../session/object-key.ts';
import { S3_LIMITS } from '../session/part-plan.ts';
import { STRATEGIES } from '../session/strategy.ts';
import { firstFaultArray, firstFaultRecord } from './first-fault.ts';
import { MAX_CAPABILITY_SECONDS, MAX_LIST_PAGE, MAX_PRESIGN_BATCH } from './paths.ts';

const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const instant = z.iso.datetime().meta({ description: 'ISO 8601, UTC' });
const partNumber = z.number().int().min(1).max(S3_LIMITS.maxPartCount);
const crc32 = z.string().regex(CRC32_BASE64).meta({ description: 'CRC32 as base64 of four bytes, big-endian' });
const etag = z.string().min(1).max(200);
// They travel as headers at the object store, so neither names nor values may hold what a header cannot.
const metadata = firstFaultRecord(z.string().regex(METADATA_NAME), z.string().max(1_000))
  .superRefine(withoutFault(findMetadataFault))
  .meta({ description: 'Of the object; names are lower case there. URL-encoded, with names counted twice, at most 1.9 KB' });
const tags = firstFaultRecord(z.string().min(1).max(128), z.string().max(256))
  .superRefine(withoutFault(findTagsFault))
  .meta({ description: 'Of the object, at most 10: letters (A to Z), digits, spaces and + - = . _ : / @' });

/** `ses_` and 26 characters of Crockford base32, lower case. Anything else is answered like an unknown id. */
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
      // A header at the store: one line of ASCII.
      .regex(/^[\w.+-]+\/[\w.+-]+(?:[ \t]*;[ \t]*[\w.+-]+=(?:[\w.+-]+|"[ !#-[\]-~]*"))*$/)
      .optional(),
    contentTypeGuessed: z.boolean().optional().meta({
      description:
        'True where the client guessed `contentType`, from the extension of the file name for example: a new session gets it, and one that the same file has keeps its own. Otherwise `contentType` is what was asked for, and another one of a session with stored parts is 409',
    }),
    key: z.string().max(1_024).optional().meta({ description: 'Object key; the file name if left out' }),
    keyTemplate: z.string().min(1).max(1_024).optional().meta({
      description: 'Object key with {date}, {sessionId}, {fileName} and {owner} to be filled in; not together with `key`',
    }),
    metadata: metadata.optional(),
    tags: tags.optional(),
    contentDisposition: z
      .enum(DISPOSITIONS)
      .optional()
      .meta({ description: 'How browsers treat the object, under its file name; left out: no such header' }),
    strategy: z.enum(STRATEGIES).optional(),
    partSize: bytes.optional(),
    bytesPerSecond: z
      .number()
      .positive()
      .optional()
      .meta({ description: 'Speed to expect of the link: a new plan gets parts that take seconds rather than minutes' }),
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
    expiresAt: instant
      .nullable()
      .meta({ description: 'When the session expires unless something happens to it; null when it has ended' }),
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
      .meta({ description: 'Part number to CRC32. With it, the URL takes these bytes and no others.' }),
  })
  .meta({ id: 'PresignParts' });

export const presignedPart = z
  .object({
    partNumber,
    method: z.literal('PUT'),
    url: z.string(),
    headers: z.record(z.string(), z.string()).meta({
      description:
        'All headers to send. Without `checksums`, add `x-amz-checksum-crc32` with the CRC32 of the bytes: the store demands it.',
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
    missing: z.array(partNumberRange).meta({ description: 'All other parts of the plan, those in `unproven` included' }),
    unproven: z.array(storedPart).meta({
      description:
        'Parts that the store lists with another size than planned or without a CRC32. Sending one again helps only if it was sent wrongly, or without a CRC32',
    }),
    generation: z.number().int().positive().meta({
      description:
        'Grows when the store loses the multipart upload, or the plan changes: parts of an earlier generation are gone',
    }),
  })
  .meta({ id: 'PartList', description: 'What the object store really holds' });

export const planRequest = z
  .strictObject({ strategy: z.enum(STRATEGIES).optional(), partSize: bytes.optional() })
  .meta({ id: 'PlanParts', description: 'How to cut the file from now on; what is left out is chosen as for a new session' });

export const reportRequest = z
  .strictObject({
    clientId: z.string().min(1).max(100),
    parts: firstFaultArray(z.strictObject({ partNumber, etag, checksum: crc32.optional() }), S3_LIMITS.maxPartCount).default([]),
    inFlightBytes: bytes.default(0),
    bytesPerSecond: z.number().nonnegative().finite().default(0),
  })
  .meta({ id: 'Report', description: 'What a client has stored and has in flight; for watchers, never as proof' });

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
      description: 'How long it lives; as long as an idle session if left out. Never longer than the token that makes it',
    }),
  })
  .meta({ id: 'GrantCapability' });

export const capability = z
  .object({
    capabilityId: z.string().meta({ description: 'Names the token in the audit log' }),
    token: z.string().meta({ description: 'For `Authorization: Bearer`; only its hash is stored' }),
    basePath: z.string().meta({ description: 'Before the path of any operation on the session, where no header can be sent' }),
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
    uploadedBySession: z.boolean().meta({ description: 'Whether the object carries the id of this session' }),
    sinceCompletion: z
      .object({
        rewritten: z.boolean().meta({ description: 'The ETag is another one: the object was written again' }),
        sameSize: z.boolean(),
        sameChecksum: z.boolean().meta({ description: 'By CRC32, which proves against accidents, not against malice' }),
      })
      .nullable()
      .optional()
      .meta({ description: 'The object compared with what was recorded when the session completed; null before' }),
  })
  .meta({ id: 'StoredObject', description: 'What the object store answers when asked about the object now' });

export const storeReport = z
  .object({
    bucket: z.string(),
    keyPrefix: z.string().meta({ description: 'All keys of this server begin with it' }),
    signing: z
      .object({
        credentials: z.enum(['sts', 'key', 'shared']).meta({
          description: 'A temporary session that can only put, a key pair of its own, or the key of the server itself',
        }),
        expiresAt: instant.nullable().meta({ description: 'When the session ends; null for keys' }),
        canRead: z.boolean(),
        canList: z.boolean(),
        canDelete: z.boolean(),
      })
      .meta({
        description: 'What part URLs are signed with, and what else that is good for: tried at the store, a minute ago at most',
      }),
    forgedWrites: z.enum(['open', 'shielded', 'no-hole', 'no-such-id', 'unknown']).optional().meta({
      description:
        'Whether the store takes a write that its signer did not sign, tried by the server: open; refused by a policy or a proxy (shielded); the signature is checked (no-hole); otherwise nothing is known',
    }),
    corsOrigins: z
      .array(z.string())
      .optional()
      .meta({ description: 'Origins whose pages may call this API; `*` is any. The store must let their pages send parts' }),
  })
  .meta({ id: 'StoreReport' });

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().meta({ description: 'The id of the request, as in the server log' }),
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

function withoutFault<T>(find: (value: T) => string | undefined): (value: T, context: z.RefinementCtx) => void {
  return (value, context) => {
    const message = find(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };
}
