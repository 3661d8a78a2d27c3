import type { Status } from '../../session/machine.ts';
import type { Instant, UploadSession } from '../../session/session.ts';
import type { SessionPage, SessionQuery } from '../port/sessions.ts';
import { type SessionRow, toSession } from './session-rows.ts';

/** Position where a page of a list ended. Lists go from newer to older sessions, and within one instant from higher to lower ids. */
export interface ListPosition {
  readonly createdAt: Instant;
  readonly sessionId: string;
}

/** The position before all sessions. */
export const LIST_START: ListPosition = { createdAt: Number.MAX_SAFE_INTEGER, sessionId: '' };

/** Encodes the position after a session, opaque to clients. Sessions that are inserted meanwhile do not move it, as they would move an offset. */
export function encodeCursor({ createdAt, sessionId }: UploadSession): string {
  return Buffer.from(JSON.stringify([createdAt, sessionId])).toString('base64url');
}

/** Decodes a cursor. Text that `encodeCursor` did not write gives the start of the list. */
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

/** Parameters of the list statements. Null means no filter. */
export interface ListParameters extends ListPosition {
  readonly owner: string | null;
  readonly status: Status | null;
  readonly bucket: string | null;
  readonly keyPrefix: string;
  readonly rows: number;
}

/** Asks for one row more than the page, to know whether there is a next page. */
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

/** Makes a page from the rows that `listParameters` asks for. */
export function toListPage(rows: readonly SessionRow[], limit: number): SessionPage {
  const sessions = rows.slice(0, limit).map(toSession);
  const last = sessions.at(-1);
  return { sessions, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last) : null };
}
