import type { Status } from '../session/machine.ts';
import type { PartPlan } from '../session/part-plan.ts';
import type { Instant, StoredPart, UploadSession } from '../session/session.ts';
import { decodeCursor, encodeCursor } from './list-cursor.ts';
import type {
  ClientReport,
  Expected,
  FingerprintQuery,
  IdempotencyRecord,
  LeftoverUpload,
  NewSession,
  OrphanSuspect,
  SessionQuery,
  SessionStore,
  StatusChange,
  Token,
} from './port.ts';
import { openSqliteDatabase, type SqliteDatabase } from './sqlite-driver.ts';
import { migrateSqlite } from './sqlite-migrate.ts';
import { toPart, toSession } from './sqlite-rows.ts';
import { prepareStatements, type Statements } from './sqlite-statements.ts';

/**
 * Opens the database at `path`, creating or migrating it where needed; `:memory:` is one that ends with the store.
 * @throws SessionStoreStartError
 */
export function openSqliteStore(path: string): SessionStore {
  const db = openSqliteDatabase(path);
  try {
    migrateSqlite(db);
    return new SqliteStore(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * SQLite answers at once, so nothing in here waits; the methods are async because the port is, and so that a failure is
 * a rejection. What reads and then writes is an IMMEDIATE transaction: it takes the write lock before it reads, so that
 * another process cannot write in between.
 */
class SqliteStore implements SessionStore {
  readonly #db: SqliteDatabase;
  readonly #statements: Statements;

  constructor(db: SqliteDatabase) {
    this.#db = db;
    this.#statements = prepareStatements(db);
  }

  async insert(session: NewSession, idempotency?: IdempotencyRecord): Promise<boolean> {
    return this.#transaction(() => {
      if (idempotency !== undefined && this.#statements.findByIdempotencyKey.get(session.owner, idempotency.key) !== undefined) {
        return false;
      }
      const { plan, metadata, overwrite, ...same } = session;
      if (session.fingerprint !== null && this.#statements.findRunning.get(session) !== undefined) return false;
      this.#statements.insertSession.run({
        ...same,
        ...plan,
        metadata: JSON.stringify(metadata),
        overwrite: overwrite ? 1 : 0,
      });
      if (idempotency !== undefined) this.#statements.claimIdempotencyKey.run({ ...session, ...idempotency });
      return true;
    });
  }

  async get(sessionId: string): Promise<UploadSession | undefined> {
    const row = this.#statements.getSession.get(sessionId);
    return row && toSession(row);
  }

  async claimIdempotencyKey(
    owner: string,
    idempotency: IdempotencyRecord,
    sessionId: string,
    createdAt: Instant,
  ): Promise<boolean> {
    return this.#statements.claimIdempotencyKey.run({ owner, ...idempotency, sessionId, createdAt }).changes === 1;
  }

  async findByIdempotencyKey(owner: string, key: string): Promise<{ sessionId: string; requestHash: string } | undefined> {
    return this.#statements.findByIdempotencyKey.get(owner, key);
  }

  async releaseIdempotencyKey(owner: string, key: string): Promise<void> {
    this.#statements.releaseIdempotencyKey.run(owner, key);
  }

  async findByFingerprint(query: FingerprintQuery, statuses: readonly Status[]): Promise<UploadSession | undefined> {
    const row = this.#statements.findByFingerprint.get({ ...query, statuses: JSON.stringify(statuses) });
    return row && toSession(row);
  }

  async list({ owner, status, limit, cursor }: SessionQuery): Promise<{ sessions: UploadSession[]; nextCursor: string | null }> {
    const statement = this.#listStatement(owner !== undefined, status !== undefined);
    // One row more than the page tells whether there is a next page.
    const rows = statement.all({ ...decodeCursor(cursor), owner: owner ?? null, status: status ?? null, rows: limit + 1 });
    const sessions = rows.slice(0, limit).map(toSession);
    const last = sessions.at(-1);
    return { sessions, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last) : null };
  }

  #listStatement(ofOwner: boolean, inStatus: boolean): Statements['listAll'] {
    if (ofOwner) return inStatus ? this.#statements.listOfOwnerInStatus : this.#statements.listOfOwner;
    return inStatus ? this.#statements.listInStatus : this.#statements.listAll;
  }

  async changeStatus(expected: Expected, change: StatusChange): Promise<boolean> {
    const unchanged = { endsAs: null, etag: null, checksum: null };
    return this.#statements.changeStatus.run({ ...unchanged, ...change, ...expected }).changes === 1;
  }

  async openUpload(expected: Expected, upload: { uploadId: string; initiatedAt: Instant }, at: Instant): Promise<boolean> {
    return this.#transaction(() => {
      if (this.#statements.openSession.run({ ...expected, at }).changes === 0) return false;
      this.#statements.insertUpload.run({ ...expected, ...upload });
      return true;
    });
  }

  async startGeneration(expected: Expected, at: Instant, plan?: PartPlan): Promise<boolean> {
    const newPlan = plan ?? { strategy: null, partSize: null, partCount: null };
    return this.#statements.startGeneration.run({ ...expected, ...newPlan, at }).changes === 1;
  }

  async endUpload(sessionId: string, generation: number, at: Instant): Promise<void> {
    this.#statements.endUpload.run({ sessionId, generation, at });
  }

  async leftoverUploads(limit: number): Promise<LeftoverUpload[]> {
    return this.#statements.leftoverUploads.all(limit);
  }

  async hasUpload(uploadId: string): Promise<boolean> {
    return this.#statements.findUpload.get(uploadId) !== undefined;
  }

  async listUnchangedSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]> {
    return this.#statements.listUnchangedSince.all({ status, before, limit }).map(toSession);
  }

  async listIdleSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]> {
    return this.#statements.listIdleSince.all({ status, before, limit }).map(toSession);
  }

  async touch(sessionId: string, at: Instant): Promise<void> {
    this.#statements.touch.run({ sessionId, at });
  }

  async setOverwrite(sessionId: string, overwrite: boolean): Promise<void> {
    this.#statements.setOverwrite.run({ sessionId, overwrite: overwrite ? 1 : 0 });
  }

  async suspectOrphan(sessionId: string, at: Instant): Promise<void> {
    this.#statements.suspectOrphan.run({ sessionId, at });
  }

  async listOrphanSuspects(before: Instant, limit: number): Promise<OrphanSuspect[]> {
    return this.#statements.listOrphanSuspects.all({ before, limit });
  }

  async clearOrphanSuspicion(sessionId: string, before: Instant): Promise<void> {
    this.#statements.clearOrphanSuspicion.run({ sessionId, before });
  }

  async listParts(sessionId: string, generation: number): Promise<StoredPart[]> {
    return this.#statements.listParts.all(sessionId, generation).map(toPart);
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

  async report(report: ClientReport): Promise<'recorded' | 'replaced' | 'stale'> {
    return this.#transaction(() => {
      const session = this.#statements.readOwnership.get(report);
      if (session === undefined) throw new Error(`no session ${report.sessionId} on record`);

      const newest = session.newest ?? 0;
      if (session.ordinal !== null && session.ordinal < newest) return 'replaced';
      if (session.ordinal === null) this.#statements.insertClient.run({ ...report, ordinal: newest + 1 });

      if (session.generation !== report.generation || !session.opened) {
        this.#statements.touch.run(report);
        return 'stale';
      }
      const { sessionId, generation, at } = report;
      for (const part of report.parts) this.#statements.reportPart.run({ ...part, sessionId, generation, at });
      this.#statements.recordFigures.run(report);
      return 'recorded';
    });
  }

  async insertToken(token: Token): Promise<void> {
    this.#statements.insertToken.run(token);
  }

  async findTokenByHash(hash: string): Promise<Token | undefined> {
    return this.#statements.findTokenByHash.get(hash);
  }

  async countTokens(): Promise<number> {
    return this.#statements.countTokens.get()?.count ?? 0;
  }

  async ping(): Promise<void> {
    this.#statements.ping.get();
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #transaction<Result>(work: () => Result): Result {
    return this.#db.transaction(work).immediate();
  }
}
