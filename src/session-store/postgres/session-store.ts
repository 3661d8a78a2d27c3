import { parentsOf } from '../../session/object-key.ts';
import type { Instant, StoredPart } from '../../session/session.ts';
import type { Outbox } from '../port/outbox.ts';
import { type ClientReport, REMEMBERED_CLIENTS, type ReportAnswer } from '../port/parts.ts';
import type { SessionStore } from '../port/session-store.ts';
import type { Expected, IdempotencyRecord, InsertOutcome, NewSession, OwnerLimits } from '../port/sessions.ts';
import { SessionStoreUnavailable } from '../port/unavailable.ts';
import { toSession } from '../sql/session-rows.ts';
import { toNewSessionRow } from '../sql/session-statements.ts';
import { SqlSessionStore } from '../sql/sql-session-store.ts';
import { PostgresDatabase, type Queries } from './driver.ts';
import { isUniqueViolation } from './errors.ts';
import { keyLocks, LOCK_KEYS } from './locks.ts';
import { migratePostgres } from './migrate.ts';
import { createPostgresOutbox } from './outbox.ts';
import { compareListing, toPartColumns } from './parts.ts';
import { POSTGRES_DIALECT, STATEMENTS, toRunnables } from './statements.ts';

/**
 * Opens the database at the URL, migrating it if necessary. Any number of servers may open it.
 * @throws SessionStoreStartError
 */
export async function openPostgresStore(url: string): Promise<SessionStore> {
  await migratePostgres(url);
  return new PostgresStore(new PostgresDatabase(url));
}

/**
 * What reads and then writes is a transaction that first locks the rows on which it decides, and reads in a later statement: each
 * statement sees what was committed before it began. All of them lock a session's row before the rows that belong to it.
 * Methods reject with SessionStoreUnavailable while the database is away, full or read-only.
 */
class PostgresStore extends SqlSessionStore {
  readonly isShared = true;
  readonly outbox: Outbox;
  readonly #db: PostgresDatabase;
  readonly #runnables: ReturnType<typeof toRunnables>;

  constructor(db: PostgresDatabase) {
    const runnables = toRunnables(db);
    super(runnables, POSTGRES_DIALECT);
    this.#db = db;
    this.#runnables = runnables;
    this.outbox = createPostgresOutbox(db, runnables);
  }

  async insert(session: NewSession, idempotency?: IdempotencyRecord, limits?: OwnerLimits): Promise<InsertOutcome> {
    const { owner, bucket, key } = session;
    try {
      return await this.#db.transaction(async (transaction): Promise<InsertOutcome> => {
        await transaction.run(LOCK_KEYS, keyLocks(bucket, key));
        await transaction.run(STATEMENTS.lockOwner, { owner });
        const refusal = await findRefusal(transaction, session, idempotency, limits);
        if (refusal !== undefined) return transaction.undo(refusal);
        await transaction.run(STATEMENTS.insertSession, toNewSessionRow(session, POSTGRES_DIALECT));
        if (idempotency === undefined) return { outcome: 'inserted' };
        const reserved = await transaction.run(STATEMENTS.reserveIdempotencyKey, { ...session, ...idempotency });
        // A `reserveIdempotencyKey` of another request may have come after `findRefusal`.
        return reserved.changes === 1 ? { outcome: 'inserted' } : transaction.undo({ outcome: 'taken' });
      });
    } catch (error) {
      // Two keys have the same hash, or a server of another version locks in another way.
      if (isUniqueViolation(error, 'upload_sessions_running')) return { outcome: 'taken' };
      throw error;
    }
  }

  openUpload(expected: Expected, upload: { uploadId: string; initiatedAt: Instant }, at: Instant): Promise<boolean> {
    return this.#db.transaction(async (transaction) => {
      const { changes } = await transaction.run(STATEMENTS.openSession, { ...expected, at });
      if (changes === 0) return false;
      await transaction.run(STATEMENTS.insertUpload, { ...expected, ...upload });
      return true;
    });
  }

  async replaceParts(sessionId: string, generation: number, parts: readonly StoredPart[], at: Instant): Promise<void> {
    const which = { sessionId, generation };
    await this.#db.transaction(async (transaction) => {
      await transaction.run(STATEMENTS.lockSession, which);
      const { changes } = await transaction.run(STATEMENTS.recordListing, { ...which, at });
      if (changes === 0) throw new Error(`no multipart upload on record for session ${sessionId}, generation ${generation}`);
      const recorded = await transaction.run(STATEMENTS.listRecordedParts, which);
      const { gone, changed } = compareListing(recorded.rows, parts, at);
      if (gone.length > 0) await transaction.run(STATEMENTS.dropParts, { ...which, partNumbers: gone });
      if (changed.length > 0) await transaction.run(STATEMENTS.recordParts, { ...which, at, ...toPartColumns(changed) });
    });
  }

  async report(report: ClientReport): Promise<ReportAnswer> {
    const columns = { ...toPartColumns(report.parts), rememberedClients: REMEMBERED_CLIENTS };
    const answer = await this.#runnables.recordReport.first({ ...report, ...columns });
    if (answer?.outcome == null) throw new Error(`no session ${report.sessionId} on record`);
    return answer.outcome === 'replaced' ? { outcome: 'replaced' } : { outcome: answer.outcome, session: toSession(answer) };
  }

  async ping(): Promise<void> {
    const answer = await this.#runnables.ping.first({});
    if (answer?.read_only === 'on')
      throw new SessionStoreUnavailable('PostgreSQL takes no writes: it is read-only.', 'read-only');
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

async function findRefusal(
  queries: Queries,
  session: NewSession,
  idempotency?: IdempotencyRecord,
  limits?: OwnerLimits,
): Promise<InsertOutcome | undefined> {
  const { owner, size, bucket, key } = session;
  const taken = await queries.run(STATEMENTS.findTaken, { ...session, idempotencyKey: idempotency?.key ?? null });
  if (taken.rows.length > 0) return { outcome: 'taken' };
  const parents = POSTGRES_DIALECT.toList(parentsOf(key));
  const [conflict] = (await queries.run(STATEMENTS.findKeyConflict, { bucket, key, parents, since: session.createdAt })).rows;
  if (conflict !== undefined) return { outcome: 'key-conflict', ...conflict };
  if (limits === undefined) return undefined;
  const [excess] = (await queries.run(STATEMENTS.findExcess, { owner, size, ...limits })).rows;
  if (excess?.overQuota) return { outcome: 'quota-exceeded' };
  return excess?.overSessions ? { outcome: 'too-many-sessions' } : undefined;
}
