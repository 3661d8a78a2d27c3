import type { Instant, StoredPart } from '../../session/session.ts';
import type { Outbox } from '../port/outbox.ts';
import type { ClientReport, ReportAnswer } from '../port/parts.ts';
import type { SessionStore } from '../port/session-store.ts';
import type { Expected, IdempotencyRecord, InsertOutcome, NewSession, OwnerLimits } from '../port/sessions.ts';
import type { SessionStoreUnavailable } from '../port/unavailable.ts';
import { type SessionRow, toSession } from '../sql/session-rows.ts';
import { toNewSessionRow } from '../sql/session-statements.ts';
import { SqlSessionStore } from '../sql/sql-session-store.ts';
import { findRefusal, recordReport } from './decisions.ts';
import { IN_MEMORY, openSqliteDatabase, type SqliteDatabase, withoutSync } from './driver.ts';
import { cannotBeOpened } from './errors.ts';
import { migrateSqlite } from './migrate.ts';
import { createSqliteOutbox } from './outbox.ts';
import { tryToWriteMuch, writeMark } from './room.ts';
import { openServing, type Serving } from './serving.ts';
import { prepareStatements, SQLITE_DIALECT, type Statements, toRunnables } from './statements.ts';
import { explaining } from './wrap-database.ts';

export interface SqliteOptions {
  /** For a server: other processes wait while it commits, and no second server may open the database. */
  readonly isServer?: boolean;
  /** Called once if the file of a server is no longer the one that it opened. */
  readonly onLoss?: (error: SessionStoreUnavailable) => void;
}

/**
 * Opens the database at `path`, creating or migrating it if necessary; `:memory:` is a database that ends with the session store.
 * @throws SessionStoreStartError
 */
export function openSqliteStore(path: string, { isServer = false, onLoss = () => {} }: SqliteOptions = {}): SessionStore {
  if (isServer && path !== IN_MEMORY) {
    const serving = openServing(path, onLoss);
    return openOn(serving.db, serving);
  }
  const db = openSqliteDatabase(path);
  try {
    return createSqliteStore(db);
  } catch (error) {
    db.close();
    throw cannotBeOpened(path, error);
  }
}

/** Makes the session store on an open database, which it migrates if necessary, and closes when it is closed. */
export function createSqliteStore(db: SqliteDatabase): SessionStore {
  migrateSqlite(db);
  return openOn(db);
}

function openOn(db: SqliteDatabase, serving?: Serving): SessionStore {
  const writes: Writes = { state: 'untried' };
  const explained = explaining(db, ({ reason }) => {
    if (reason !== 'away') writes.state = 'refused';
  });
  return new SqliteStore(explained, prepareStatements(explained), writes, serving);
}

interface Writes {
  /** `untried` until the first write, `refused` after a write that failed. */
  state: 'untried' | 'refused' | 'accepted';
}

/**
 * SQLite answers at once, so no method waits; they are async because the port is, and so that a failure is a rejection. What reads and
 * then writes is an IMMEDIATE transaction: it takes the write lock before it reads, so that another process cannot write in between.
 * Methods reject with SessionStoreUnavailable while the disk is full, read-only or broken, or another process holds the lock: nothing of
 * the call is written then.
 */
class SqliteStore extends SqlSessionStore {
  readonly isShared = false;
  readonly outbox: Outbox;
  readonly #db: SqliteDatabase;
  readonly #statements: Statements;
  readonly #writes: Writes;
  readonly #serving: Serving | undefined;

  constructor(db: SqliteDatabase, statements: Statements, writes: Writes, serving: Serving | undefined) {
    const runnables = toRunnables(statements);
    super(runnables, SQLITE_DIALECT);
    this.#db = db;
    this.#statements = statements;
    this.#writes = writes;
    this.#serving = serving;
    this.outbox = createSqliteOutbox(db, statements, runnables);
  }

  async insert(session: NewSession, idempotency?: IdempotencyRecord, limits?: OwnerLimits): Promise<InsertOutcome> {
    return this.#transaction((): InsertOutcome => {
      const refusal = findRefusal(this.#statements, session, idempotency, limits);
      if (refusal !== undefined) return refusal;
      this.#statements.insertSession.run(toNewSessionRow(session, SQLITE_DIALECT));
      if (idempotency !== undefined) this.#statements.reserveIdempotencyKey.run({ ...session, ...idempotency });
      return { outcome: 'inserted' };
    });
  }

  async openUpload(expected: Expected, upload: { uploadId: string; initiatedAt: Instant }, at: Instant): Promise<boolean> {
    return this.#transaction(() => {
      if (this.#statements.openSession.run({ ...expected, at }).changes === 0) return false;
      this.#statements.insertUpload.run({ ...expected, ...upload });
      return true;
    });
  }

  override async touch(sessionId: string, at: Instant): Promise<void> {
    withoutSync(this.#db, () => this.#statements.touch.run({ sessionId, at }));
  }

  async replaceParts(sessionId: string, generation: number, parts: readonly StoredPart[], at: Instant): Promise<void> {
    const partNumbers = JSON.stringify(parts.map((part) => part.partNumber));
    this.#transaction(() => {
      if (this.#statements.recordListing.run({ sessionId, generation, at }).changes === 0) {
        throw new Error(`no multipart upload on record for session ${sessionId}, generation ${generation}`);
      }
      this.#statements.dropUnlistedParts.run({ sessionId, generation, at, partNumbers });
      for (const part of parts) this.#statements.listedPart.run({ ...part, sessionId, generation, at });
    });
  }

  async report(report: ClientReport): Promise<ReportAnswer> {
    return withoutSync(this.#db, () =>
      this.#transaction((): ReportAnswer => {
        const outcome = recordReport(this.#statements, report);
        if (outcome === 'replaced') return { outcome };
        return { outcome, session: toSession(this.#statements.getSession.get(report) as SessionRow) };
      }),
    );
  }

  async ping(): Promise<void> {
    this.#serving?.file.check();
    this.#statements.ping.get({});
    if (this.#writes.state === 'accepted') return;
    // One page may still fit where a session does not.
    if (this.#writes.state === 'refused') tryToWriteMuch(this.#db);
    writeMark(this.#db, this.#serving?.mark);
    this.#serving?.recognize();
    this.#writes.state = 'accepted';
  }

  async close(): Promise<void> {
    if (this.#serving === undefined) this.#db.close();
    else await this.#serving.close();
  }

  #transaction<Result>(work: () => Result): Result {
    return this.#db.transaction(work).immediate();
  }
}
