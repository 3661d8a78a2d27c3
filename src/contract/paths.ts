import { UploadError } from '../session/errors.ts';

/** The paths of the control plane, shared by the server that mounts them and the clients that call them. No zod here. */
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
  /** The same progress, under the path that the first users were promised. */
  progressByUploadId: '/api/upload/{upload_id}/progress',
  store: '/api/store',
  healthz: '/healthz',
  readyz: '/readyz',
  metrics: '/metrics',
  openapi: '/openapi.json',
  problem: '/problems/{slug}',
} as const;

/**
 * Before the path of any operation on a session: for clients that cannot send headers (an EventSource, a form). Takes
 * capability tokens only, which open one session and nothing else.
 */
export const CAPABILITY_PATH = '/c/{capability}';

export type PathTemplate = (typeof PATHS)[keyof typeof PATHS];

/** Wider than the ids that servers make, and without anything that a URL takes for more than a name: `..`, `/`, `%` … */
const SESSION_ID = /^[\w-]{1,100}$/;

/**
 * Fills `{sessionId}` in. A mistyped id cannot reach another route: no percent-encoding keeps a URL from reading `..` as a step up.
 * @throws UploadError `SESSION_NOT_FOUND` for what no server can have made.
 */
export function pathOf(template: PathTemplate, sessionId = ''): string {
  return template.replace('{sessionId}', () => {
    if (SESSION_ID.test(sessionId)) return sessionId;
    throw new UploadError('SESSION_NOT_FOUND', `${JSON.stringify(sessionId)} cannot be the id of an upload session.`, {
      hint: 'Ids look like ses_01kaz3v8f6q2m4n7x9y0w5r1td; `partway list` shows those of the server.',
    });
  });
}

/** A client is asked to presign in windows, so that a URL is young when it is used. */
export const MAX_PRESIGN_BATCH = 1_000;
export const MAX_LIST_PAGE = 200;
/** How long a capability token may live, in seconds: 30 days. */
export const MAX_CAPABILITY_SECONDS = 30 * 86_400;
/** Largest body of a request that may list parts, in bytes: a report of 10,000 stored parts fits. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;
/** Largest body of all others, in bytes. */
export const MAX_PLAIN_BODY_BYTES = 64 * 1024;

const PATHS_THAT_LIST_PARTS = [PATHS.presign, PATHS.report, PATHS.complete].map(
  (template) => new RegExp(`^${template.replace('{sessionId}', '[^/]+')}$`),
);

export function maxBodyBytes(path: string): number {
  return PATHS_THAT_LIST_PARTS.some((pattern) => pattern.test(path)) ? MAX_BODY_BYTES : MAX_PLAIN_BODY_BYTES;
}
