import { z } from 'zod';
import { PATHS } from './paths.ts';
import { PROBLEM_MEDIA_TYPE } from './problems.ts';
import * as schemas from './schemas.ts';

/** Operation → method, path and schemas. The server mounts these; /openapi.json is made of them. */

const json = <Schema extends z.ZodType>(schema: Schema, description: string) =>
  ({ description, content: { 'application/json': { schema } } }) as const;
const body = <Schema extends z.ZodType>(schema: Schema, required: boolean) =>
  ({ required, content: { 'application/json': { schema } } }) as const;

const problems = {
  default: { description: 'A problem', content: { [PROBLEM_MEDIA_TYPE]: { schema: schemas.problem } } },
} as const;
/** What a route asks of the token; the authorization matrix (test/server) has a row for each. */
export type Access =
  /** Scope `upload`, and whatever the token is limited to. */
  | 'create'
  /** Any scope; a capability has none. */
  | 'use'
  /** `read`, of a token that is limited to no bucket and no prefix: it is about everybody's sessions. */
  | 'oversee'
  /** The session's owner, its capability, or `read`. */
  | 'see'
  /** The session's owner, its capability, or `admin`. */
  | 'change'
  /** The session's owner or `admin`: no capability grants another. */
  | 'grant';

const needs = <A extends Access>(access: A) => ({ security: [{ bearer: [] as string[] }], 'x-partway-access': access });
const sessionParams = z.object({ sessionId: schemas.sessionId });

export const createUpload = {
  operationId: 'createUpload',
  method: 'post',
  path: PATHS.uploads,
  summary: 'Create an upload session, or find the open one of the same file',
  ...needs('create'),
  request: {
    headers: z.object({
      'idempotency-key': z
        .string()
        .regex(/^[\x21-\x7e]{1,255}$/)
        .optional(),
    }),
    body: body(schemas.createRequest, true),
  },
  responses: {
    201: json(schemas.session, 'The session was created'),
    200: json(schemas.session, 'The session that this request or this file has already'),
    ...problems,
  },
} as const;

export const listUploads = {
  operationId: 'listUploads',
  method: 'get',
  path: PATHS.uploads,
  summary: 'List upload sessions, newest first',
  ...needs('use'),
  request: { query: schemas.listQuery },
  responses: { 200: json(schemas.sessionList, 'A page of sessions'), ...problems },
} as const;

export const getUpload = {
  operationId: 'getUpload',
  method: 'get',
  path: PATHS.upload,
  summary: 'One upload session',
  ...needs('see'),
  request: { params: sessionParams },
  responses: { 200: json(schemas.session, 'The session'), ...problems },
} as const;

export const abortUpload = {
  operationId: 'abortUpload',
  method: 'delete',
  path: PATHS.upload,
  summary: 'Abort: the stored parts are deleted. Idempotent; never touches a completed object',
  ...needs('change'),
  request: { params: sessionParams },
  responses: { 200: json(schemas.session, 'The session, aborted'), ...problems },
} as const;

export const presignParts = {
  operationId: 'presignParts',
  method: 'post',
  path: PATHS.presign,
  summary: 'Presigned URLs for a batch of parts',
  ...needs('change'),
  request: { params: sessionParams, body: body(schemas.presignRequest, true) },
  responses: { 200: json(schemas.presignResponse, 'One URL a part, in the order asked'), ...problems },
} as const;

export const listParts = {
  operationId: 'listParts',
  method: 'get',
  path: PATHS.parts,
  summary: 'What the object store really holds, and what is missing',
  ...needs('change'),
  request: { params: sessionParams },
  responses: { 200: json(schemas.partsResponse, 'Stored parts and missing ranges'), ...problems },
} as const;

export const replanUpload = {
  operationId: 'replanUpload',
  method: 'post',
  path: PATHS.plan,
  summary: 'Cut the file differently, while no part is stored. Idempotent; 409 SESSION_PLAN_DIFFERS where parts are stored',
  ...needs('change'),
  request: { params: sessionParams, body: body(schemas.planRequest, true) },
  responses: { 200: json(schemas.session, 'The session with that plan'), ...problems },
} as const;

export const reportProgress = {
  operationId: 'reportProgress',
  method: 'post',
  path: PATHS.report,
  summary: 'Tell what is stored and in flight, for those who watch',
  ...needs('change'),
  request: { params: sessionParams, body: body(schemas.reportRequest, true) },
  responses: { 200: json(schemas.progress, 'The progress as recorded'), ...problems },
} as const;

export const completeUpload = {
  operationId: 'completeUpload',
  method: 'post',
  path: PATHS.complete,
  summary: 'Complete: the store assembles and checks the object. Idempotent',
  ...needs('change'),
  request: { params: sessionParams, body: body(schemas.completeRequest, false) },
  responses: { 200: json(schemas.session, 'The session, completed'), ...problems },
} as const;

export const grantCapability = {
  operationId: 'grantCapability',
  method: 'post',
  path: PATHS.capabilities,
  summary: 'Make a token for this session alone, for a browser or a script',
  ...needs('grant'),
  request: { params: sessionParams, body: body(schemas.capabilityRequest, false) },
  responses: { 201: json(schemas.capability, 'The token, shown this once'), ...problems },
} as const;

export const getObject = {
  operationId: 'getObject',
  method: 'get',
  path: PATHS.object,
  summary: 'What the object store says of the object now',
  ...needs('see'),
  request: { params: sessionParams },
  responses: { 200: json(schemas.storedObject, 'Size, ETag and checksum as the store has them'), ...problems },
} as const;

const progressResponses = {
  200: {
    description: 'The progress now; a stream of it, an event for each change, when asked with Accept: text/event-stream',
    content: { 'application/json': { schema: schemas.progress }, 'text/event-stream': { schema: z.string() } },
  },
  ...problems,
} as const;

export const getProgress = {
  operationId: 'getProgress',
  method: 'get',
  path: PATHS.progress,
  summary: 'Progress, by polling or as Server-Sent Events',
  ...needs('see'),
  request: { params: sessionParams },
  responses: progressResponses,
} as const;

export const getProgressByUploadId = {
  operationId: 'getProgressByUploadId',
  method: 'get',
  path: PATHS.progressByUploadId,
  summary: 'The same progress; upload_id is the session id',
  ...needs('see'),
  request: { params: z.object({ upload_id: schemas.sessionId }) },
  responses: progressResponses,
} as const;

export const getStore = {
  operationId: 'getStore',
  method: 'get',
  path: PATHS.store,
  summary: 'Where uploads go, and what part URLs are signed with',
  ...needs('use'),
  responses: { 200: json(schemas.storeReport, 'Bucket, key prefix, and what the signing credentials can do'), ...problems },
} as const;

export const getMetrics = {
  operationId: 'getMetrics',
  method: 'get',
  path: PATHS.metrics,
  summary: 'Metrics of this process and of all sessions, for Prometheus',
  ...needs('oversee'),
  responses: {
    200: {
      description: "Prometheus' text format, 0.0.4",
      content: { 'text/plain': { schema: z.string() } },
    },
    ...problems,
  },
} as const;

export const healthz = {
  operationId: 'healthz',
  method: 'get',
  path: PATHS.healthz,
  summary: 'Whether the process answers',
  responses: { 200: json(z.object({ ok: z.literal(true) }), 'It does'), ...problems },
} as const;

export const readyz = {
  operationId: 'readyz',
  method: 'get',
  path: PATHS.readyz,
  summary: 'Whether the database and the bucket can be used, and part URLs be signed; asked at most once a second',
  responses: { 200: json(schemas.readiness, 'They can'), ...problems },
} as const;
