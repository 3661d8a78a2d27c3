import type { Status } from '../../session/machine.ts';
import type { Instant, UploadSession } from '../../session/session.ts';
import type { SessionQuery } from '../port/session-store.ts';
import { type SessionRow, toSession } from './session-rows.ts';

/** Where a page of a list ended. Lists go from newer to older; sessions of the same instant, from higher to lower id. */
export interface ListPosition {
  readonly createdAt: Instant;
  readonly sessionId: string;
}

/** Before every session. */
export const LIST_START: ListPosition = { createdAt: Number.MAX_SAFE_INTEGER, sessionId: '' };

/** Opaque to clients. A position, not a count of rows: sessions that are inserted meanwhile move nothing. */
export function encodeCursor({ createdAt, sessionId }: UploadSession): string {
  return Buffer.from(JSON.stringify([createdAt, sessionId])).toString('base64url');
}

/** The start of the list for anything that `encodeCursor` does not write. */
export function decodeCursor(cursor: string | undefined): ListPosition {
  if (cursor === undefined) return LIST_START;
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (!Array.isArray(position) || position.length !== 2) return LIST_START;
    const [createdAt, sessionId] = position as unknown[];
    if (!Number.isSafeInteger(createdAt) || typeof sessionId !== 'string') return LIST_START;
    return { createdAt: createdAt as number, sessionId };
  } catch {
    return LIST_START;
  }
}

/** Null is no filter. */
export interface ListParameters extends ListPosition {
  readonly owner: string | null;
  readonly status: Status | null;
  readonly bucket: string | null;
  readonly keyPrefix: string;
  readonly rows: number;
}

/** One row more than the page tells whether there is a next page. */
export function listParameters({ owner, status, bucket, keyPrefix = '', limit, cursor }: SessionQuery): ListParameters {
  return {
    ...decodeCursor(cursor),
    owner: owner ?? null,
    status: status ?? null,
    bucket: bucket ?? null,
    keyPrefix,
    rows: limit + 1,
  };
}

/** @param rows As many as `listParameters` asks for. */
export function toListPage(rows: readonly SessionRow[], limit: number): { sessions: UploadSession[]; nextCursor: string | null } {
  const sessions = rows.slice(0, limit).map(toSession);
  const last = sessions.at(-1);
  return { sessions, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last) : null };
}
