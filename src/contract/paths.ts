import { UploadError } from '../session/errors.ts';
import { S3_LIMITS } from '../session/part-plan.ts';

/** Paths of the control plane, for the server that mounts them and the clients that call them. This file loads no zod. */
export const PATHS = {
  uploads: '/api/uploads',
  upload: '/api/uploads/{sessionId}',
  presign: '/api/uploads/{sessionId}/parts/presign',
  parts: '/api/uploads/{sessionId}/parts',
  plan: '/api/uploads/{sessionId}/plan',
  report: '/api/uploads/{sessionId}/report',
  complete: '/api/uploads/{sessionId}/complete',
  object: '/api/uploads/{sessionId}/object',
  progress: '/api/uploads/{sessionId}/progress',
  capabilities: '/api/uploads/{sessionId}/capabilities',
  /** The same progress under an older path, which the first users were promised. */
  progressByUploadId: '/api/upload/{upload_id}/progress',
  store: '/api/store',
  healthz: '/healthz',
  readyz: '/readyz',
  metrics: '/metrics',
  openapi: '/openapi.json',
  problem: '/problems/{slug}',
} as const;

/**
 * Prefix for the path of any operation on a session, for clients that cannot send headers (an EventSource, a form). It takes capability
 * tokens only, which give access to one session and nothing else.
 */
export const CAPABILITY_PATH = '/c/{capability}';

export type PathTemplate = (typeof PATHS)[keyof typeof PATHS];

/**
 * Allows more than the ids that servers generate, but nothing that a URL, a file system or a shell treats specially: `..`, `/`, `%`, a
 * space, a leading `-` …
 */
const SESSION_ID = /^\w[\w-]{0,99}$/;

/** Whether this can be the id of an upload session. Checked where ids enter, and again before one becomes a path, a file name or a shell word. */
export function isSessionId(value: unknown): value is string {
  return typeof value === 'string' && SESSION_ID.test(value);
}

/**
 * Fills in `{sessionId}`. Invalid ids are refused, because percent-encoding does not keep a URL from reading `..` as a step up: a
 * mistyped id could reach another route.
 * @throws UploadError `SESSION_NOT_FOUND` for an id that no server can have generated.
 */
export function pathOf(template: PathTemplate, sessionId = ''): string {
  return template.replace('{sessionId}', () => {
    if (isSessionId(sessionId)) return sessionId;
    throw new UploadError('SESSION_NOT_FOUND', `${JSON.stringify(sessionId)} cannot be the id of an upload session.`, {
      hint: 'Ids look like ses_01kaz3v8f6q2m4n7x9y0w5r1td; `partway list` shows those of the server.',
    });
  });
}

/** Limit on part numbers in one presign request: clients ask for URLs in windows, so that a URL is still fresh when it is used. */
export const MAX_PRESIGN_BATCH = 1_000;
export const MAX_LIST_PAGE = 200;
/** Longest life of a capability token, in seconds: 30 days. */
export const MAX_CAPABILITY_SECONDS = 30 * 86_400;
/** Largest body of a request that creates a session or asks for URLs, in bytes. 1,000 part numbers with checksums take half of it. */
export const MAX_PLAIN_BODY_BYTES = 64 * 1024;
/** Additional bytes for each part of the session in a report or a completion: twice as many as a client needs. */
export const BODY_BYTES_PER_PART = 200;
/** Largest body of any request: a report of 10,000 stored parts. */
export const MAX_BODY_BYTES = maxPartListBytes(S3_LIMITS.maxPartCount);
/** Largest body of all other requests, in bytes. */
export const MAX_SMALL_BODY_BYTES = 4 * 1024;

const PATHS_THAT_LIST_PARTS = [PATHS.report, PATHS.complete].map(
  (template) => new RegExp(`^${template.replace('{sessionId}', '([^/]+)')}$`),
);
const PRESIGN = new RegExp(`^${PATHS.presign.replace('{sessionId}', '[^/]+')}$`);

/** Returns the session whose stored parts a body at this path may list, or undefined if such a body lists none. */
export function sessionOfPartList(path: string): string | undefined {
  for (const pattern of PATHS_THAT_LIST_PARTS) {
    const sessionId = pattern.exec(path)?.[1];
    if (sessionId !== undefined) return sessionId;
  }
  return undefined;
}

/** Largest body that lists the stored parts of a session with `partCount` parts. */
export function maxPartListBytes(partCount: number): number {
  return MAX_PLAIN_BODY_BYTES + partCount * BODY_BYTES_PER_PART;
}

/** Largest body of a request that does not list stored parts. */
export function maxBodyBytes(path: string): number {
  return path === PATHS.uploads || PRESIGN.test(path) ? MAX_PLAIN_BODY_BYTES : MAX_SMALL_BODY_BYTES;
}
