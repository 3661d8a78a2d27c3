import type { Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { Instant, StoredPart, UploadSession } from '../../session/session.ts';
import type {
  Capability,
  ClientReport,
  Expected,
  FingerprintQuery,
  IdempotencyRecord,
  InsertOutcome,
  LeftoverUpload,
  NewSession,
  ObjectAttributes,
  OrphanSuspect,
  Outbox,
  OwnerLimits,
  ReportAnswer,
  SessionQuery,
  SessionStore,
  StatusChange,
  Token,
  Totals,
  Usage,
} from '../port/session-store.ts';
import { LONGEST_LEASE_MS, type SessionStoreUnavailable } from '../port/session-store.ts';
import { listParameters, toListPage } from '../sql/list-cursor.ts';
import { type SessionRow, toNewGeneration, toPart, toSession } from '../sql/session-rows.ts';
import { toToken, toTokenRow } from '../sql/token-rows.ts';
import { findRefusal, recordReport } from './decisions.ts';
import { IN_MEMORY, openSqliteDatabase, type SqliteDatabase, withoutSync } from './driver.ts';
import { cannotBeOpened, explaining } from './errors.ts';
import { migrateSqlite } from './migrate.ts';
import { createSqliteOutbox } from './outbox.ts';
import { tryToWriteMuch, writeMark } from './room.ts';
import { openServing, type Serving } from './serving.ts';
import { prepareStatements, type Statements } from './statements.ts';

export interface SqliteOptions {
  /** Others wait while it commits, and no second server may have the database. */
  readonly isServer?: boolean;
  /** Told once, when a server's file turns out not to be the one any more that it opened. */
  readonly onLoss?: (error: SessionStoreUnavailable) => void;
}

/**
 * Opens the database at `path`, creating or migrating it where needed; `:memory:` is one that ends with the store.
 * @throws SessionStoreStartError
 */
export function openSqliteStore(path: string, { isServer = false, onLoss = () => {} }: SqliteOptions = {}): SessionStore {
  if (isServer && path !== IN_MEMORY) {
    const serving = openServing(path, onLoss);
    return new SqliteStore(serving.db, serving);
  }
  const db = openSqliteDatabase(path);
  try {
    return createSqliteStore(db);
  } catch (error) {
    db.close();
    throw cannotBeOpened(path, error);
  }
}

/** The store on a database that is open, which it migrates where needed and closes with itself. */
export function createSqliteStore(db: SqliteDatabase): SessionStore {
  migrateSqlite(db);
  return new SqliteStore(db);
}

/**
 * SQLite answers at once, so nothing in here waits; the methods are async because the port is, and so that a failure is
 * a rejection. What reads and then writes is an IMMEDIATE transaction: it takes the write lock before it reads, so that
 * another process cannot write in between. Methods reject with SessionStoreUnavailable while the disk is full, read-only or broken,
 * or another process keeps the lock: nothing of what they were to write is written then.
 */
class SqliteStore implements SessionStore {
  readonly isShared = false;
  readonly outbox: Outbox;
  readonly #db: SqliteDatabase;
  readonly #statements: Statements;
  readonly #serving: Serving | undefined;
  /** `untried` until something was written, `refused` since a write failed. */
  #writes: 'untried' | 'refused' | 'taken' = 'untried';

  constructor(db: SqliteDatabase, serving?: Serving) {
    this.#serving = serving;
    this.#db = explaining(db, ({ reason }) => {
      if (reason !== 'away') this.#writes = 'refused';
    });
    this.#statements = prepareStatements(this.#db);
    this.outbox = createSqliteOutbox(this.#db, this.#statements);
  }

  async insert(session: NewSession, idempotency?: IdempotencyRecord, limits?: OwnerLimits): Promise<InsertOutcome> {
    return this.#transaction((): InsertOutcome => {
      const refusal = findRefusal(this.#statements, session, idempotency, limits);
      if (refusal !== undefined) return refusal;
      const { plan, metadata, tags, overwrite, ...same } = session;
      this.#statements.insertSession.run({
        ...same,
        ...plan,
        metadata: JSON.stringify(metadata),
        tags: JSON.stringify(tags),
        overwrite: overwrite ? 1 : 0,
      });
      if (idempotency !== undefined) this.#statements.claimIdempotencyKey.run({ ...session, ...idempotency });
      return { outcome: 'inserted' };
    });
  }

  async usageOf(owner: string): Promise<Usage> {
    return this.#statements.usageOf.get(owner) ?? { openSessions: 0, reservedBytes: 0, settledBytes: 0 };
  }

  async totals(): Promise<Totals> {
    const unfinished = { creating: 0, open: 0, completing: 0, aborting: 0 };
    for (const { status, count } of this.#statements.countUnfinished.all()) unfinished[status] = count;
    const { reservedBytes, settledBytes } = this.#statements.sumUsage.get() ?? { reservedBytes: 0, settledBytes: 0 };
    return { unfinished, reservedBytes, settledBytes, heldBytes: this.#statements.sumHeldBytes.get()?.heldBytes ?? 0 };
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

  async deleteIdempotencyKeys(before: Instant): Promise<number> {
    return this.#statements.deleteIdempotencyKeys.run(before).changes;
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

  async list(query: SessionQuery): Promise<{ sessions: UploadSession[]; nextCursor: string | null }> {
    const statement = this.#listStatement(query.owner !== undefined, query.status !== undefined);
    return toListPage(statement.all(listParameters(query)), query.limit);
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

  async startGeneration(
    expected: Expected,
    at: Instant,
    plan?: PartPlan,
    attributes?: Partial<ObjectAttributes>,
  ): Promise<boolean> {
    return this.#statements.startGeneration.run({ ...expected, ...toNewGeneration(plan, attributes), at }).changes === 1;
  }

  async endUpload(sessionId: string, generation: number, at: Instant): Promise<void> {
    this.#statements.endUpload.run({ sessionId, generation, at });
  }

  async leftoverUploads(before: Instant, limit: number): Promise<LeftoverUpload[]> {
    return this.#statements.leftoverUploads.all({ before, limit });
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
    withoutSync(this.#db, () => this.#statements.touch.run({ sessionId, at }));
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

  async report(report: ClientReport): Promise<ReportAnswer> {
    return withoutSync(this.#db, () =>
      this.#transaction((): ReportAnswer => {
        const outcome = recordReport(this.#statements, report);
        if (outcome === 'replaced') return { outcome };
        return { outcome, session: toSession(this.#statements.getSession.get(report.sessionId) as SessionRow) };
      }),
    );
  }

  async insertToken(token: Token): Promise<void> {
    this.#statements.insertToken.run(toTokenRow(token));
  }

  async findTokenByHash(hash: string): Promise<Token | undefined> {
    const row = this.#statements.findTokenByHash.get(hash);
    return row && toToken(row);
  }

  async findToken(tokenId: string): Promise<Token | undefined> {
    const row = this.#statements.findToken.get(tokenId);
    return row && toToken(row);
  }

  async listTokens(): Promise<Token[]> {
    return this.#statements.listTokens.all().map(toToken);
  }

  async revokeToken(tokenId: string, at: Instant): Promise<boolean> {
    return this.#statements.revokeToken.run({ tokenId, at }).changes === 1;
  }

  async insertCapability(capability: Capability, most: number): Promise<boolean> {
    return this.#statements.insertCapability.run({ ...capability, most }).changes === 1;
  }

  async findCapabilityByHash(hash: string): Promise<Capability | undefined> {
    return this.#statements.findCapabilityByHash.get(hash);
  }

  async deleteExpiredCapabilities(before: Instant): Promise<number> {
    return this.#statements.deleteExpiredCapabilities.run(before).changes;
  }

  async acquireSweepLease(holder: string, at: Instant, ttlMs: number): Promise<boolean> {
    return (
      this.#statements.acquireSweepLease.run({ holder, at, expiresAt: at + ttlMs, latest: at + LONGEST_LEASE_MS }).changes === 1
    );
  }

  async releaseSweepLease(holder: string): Promise<void> {
    this.#statements.releaseSweepLease.run(holder);
  }

  async ping(): Promise<void> {
    this.#serving?.file.check();
    this.#statements.ping.get();
    if (this.#writes === 'taken') return;
    // A page may still fit where a session does not.
    if (this.#writes === 'refused') tryToWriteMuch(this.#db);
    writeMark(this.#db, this.#serving?.mark);
    this.#serving?.recognize();
    this.#writes = 'taken';
  }

  async close(): Promise<void> {
    if (this.#serving === undefined) this.#db.close();
    else await this.#serving.close();
  }

  #transaction<Result>(work: () => Result): Result {
    return this.#db.transaction(work).immediate();
  }
}
