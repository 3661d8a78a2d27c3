/** The paths of the control plane, shared by the server that mounts them and the clients that call them. No zod here. */
export const PATHS = {
  uploads: '/api/uploads',
  upload: '/api/uploads/{sessionId}',
  presign: '/api/uploads/{sessionId}/parts/presign',
  parts: '/api/uploads/{sessionId}/parts',
  report: '/api/uploads/{sessionId}/report',
  complete: '/api/uploads/{sessionId}/complete',
  object: '/api/uploads/{sessionId}/object',
  progress: '/api/uploads/{sessionId}/progress',
  /** The same progress, under the path that the first users were promised. */
  progressByUploadId: '/api/upload/{upload_id}/progress',
  healthz: '/healthz',
  readyz: '/readyz',
  openapi: '/openapi.json',
  problem: '/problems/{slug}',
} as const;

export type PathTemplate = (typeof PATHS)[keyof typeof PATHS];

/** Fills `{sessionId}` in; the id is percent-encoded, so a mistyped one cannot reach another route. */
export function pathOf(template: PathTemplate, sessionId?: string): string {
  return template.replace('{sessionId}', () => encodeURIComponent(sessionId ?? ''));
}

/** A client is asked to presign in windows, so that a URL is young when it is used. */
export const MAX_PRESIGN_BATCH = 1_000;
export const MAX_LIST_PAGE = 200;
/** Largest request body, in bytes: a report of 10,000 stored parts fits. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;
