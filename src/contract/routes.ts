import { z } from 'zod';
import { PATHS } from './paths.ts';
import { PROBLEM_MEDIA_TYPE } from './problems.ts';
import * as schemas from './schemas.ts';

/** Method, path and schemas of each operation. The server mounts them, and generates /openapi.json from them. */

const json = <Schema extends z.ZodType>(schema: Schema, description: string) =>
  ({ description, content: { 'application/json': { schema } } }) as const;
const body = <Schema extends z.ZodType>(schema: Schema, required: boolean) =>
  ({ required, content: { 'application/json': { schema } } }) as const;

const problems = {
  default: { description: 'A problem', content: { [PROBLEM_MEDIA_TYPE]: { schema: schemas.problem } } },
} as const;
/** The rights that a route needs. The authorization matrix (test/server) has a row for each route. */
export type Access =
  /** Scope `upload`, within the limits of the token. */
  | 'create'
  /** Any scope; a capability has none. */
  | 'use'
  /** `read`, and a token without a limit to a bucket or a prefix, because the answer covers all sessions. */
  | 'oversee'
  /** The session's owner, its capability, or `read`. */
  | 'see'
  /** The session's owner, its capability, or `admin`. */
  | 'change'
  /** The session's owner or `admin`. A capability cannot grant another one. */
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
    200: json(schemas.session, 'The existing session of this request or this file'),
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
  summary: 'Abort and delete the stored parts. Idempotent; never touches a completed object',
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
  responses: { 200: json(schemas.presignResponse, 'One URL for each part, in the order of the request'), ...problems },
} as const;

export const listParts = {
  operationId: 'listParts',
  method: 'get',
  path: PATHS.parts,
  summary: 'The parts that the object store holds, and those that are missing',
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
  summary: 'Report what is stored and in flight, for progress watchers',
  ...needs('change'),
  request: { params: sessionParams, body: body(schemas.reportRequest, true) },
  responses: { 200: json(schemas.progress, 'The progress as recorded'), ...problems },
} as const;

export const completeUpload = {
  operationId: 'completeUpload',
  method: 'post',
  path: PATHS.complete,
  summary: 'Complete: the object store assembles and checks the object. Idempotent',
  ...needs('change'),
  request: { params: sessionParams, body: body(schemas.completeRequest, false) },
  responses: { 200: json(schemas.session, 'The session, completed'), ...problems },
} as const;

export const grantCapability = {
  operationId: 'grantCapability',
  method: 'post',
  path: PATHS.capabilities,
  summary: 'Create a token for this session only, for a browser or a script',
  ...needs('grant'),
  request: { params: sessionParams, body: body(schemas.capabilityRequest, false) },
  responses: { 201: json(schemas.capability, 'The token, shown only this once'), ...problems },
} as const;

export const getObject = {
  operationId: 'getObject',
  method: 'get',
  path: PATHS.object,
  summary: 'The object as the object store describes it now',
  ...needs('see'),
  request: { params: sessionParams },
  responses: { 200: json(schemas.storedObject, 'Size, ETag and checksum from the object store'), ...problems },
} as const;

const progressResponses = {
  200: {
    description: 'The current progress; with Accept: text/event-stream, a stream with an event for each change',
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
  summary: 'The same progress under another path; upload_id is the session id',
  ...needs('see'),
  request: { params: z.object({ upload_id: schemas.sessionId }) },
  responses: progressResponses,
} as const;

export const getStore = {
  operationId: 'getStore',
  method: 'get',
  path: PATHS.store,
  summary: 'Where uploads go, and which credentials sign part URLs',
  ...needs('use'),
  responses: { 200: json(schemas.storeReport, 'Bucket, key prefix, and the rights of the signing credentials'), ...problems },
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
  responses: { 200: json(z.object({ ok: z.literal(true) }), 'The process answers'), ...problems },
} as const;

export const readyz = {
  operationId: 'readyz',
  method: 'get',
  path: PATHS.readyz,
  summary: 'Whether the database and the bucket work and part URLs can be signed; checked at most once a second',
  responses: { 200: json(schemas.readiness, 'All checks passed'), ...problems },
} as const;
