import type { Status } from '../../session/machine.ts';
import { parentsOf } from '../../session/object-key.ts';
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
import { LONGEST_LEASE_MS, REMEMBERED_CLIENTS, SessionStoreUnavailable } from '../port/session-store.ts';
import { listParameters, toListPage } from '../sql/list-cursor.ts';
import { toNewGeneration, toPart, toSession } from '../sql/session-rows.ts';
import { toToken, toTokenRow } from '../sql/token-rows.ts';
import { PostgresDatabase, type Queries } from './driver.ts';
import { isUniqueViolation } from './errors.ts';
import { keyLocks, LOCK_KEYS } from './locks.ts';
import { migratePostgres } from './migrate.ts';
import { createPostgresOutbox } from './outbox.ts';
import { compareListing, toPartColumns } from './parts.ts';
import type { Statement } from './statement.ts';
import { STATEMENTS } from './statements.ts';

/**
 * Opens the database that the URL names, migrating it where needed. Any number of servers may have it open.
 * @throws SessionStoreStartError
 */
export async function openPostgresStore(url: string): Promise<SessionStore> {
  await migratePostgres(url);
  return new PostgresStore(new PostgresDatabase(url));
}

/**
 * What reads and then writes is a transaction that first locks what it will decide on, and reads in a later statement: each statement
 * sees what was committed before it began. In all of them a session's row is locked before the rows that belong to it.
 * Methods reject with SessionStoreUnavailable while the database is away, full or read-only.
 */
class PostgresStore implements SessionStore {
  readonly isShared = true;
  readonly outbox: Outbox;
  readonly #db: PostgresDatabase;

  constructor(db: PostgresDatabase) {
    this.#db = db;
    this.outbox = createPostgresOutbox(db);
  }

  async insert(session: NewSession, idempotency?: IdempotencyRecord, limits?: OwnerLimits): Promise<InsertOutcome> {
    const { plan, metadata, tags, owner, bucket, key } = session;
    const row = { ...session, ...plan, metadata: JSON.stringify(metadata), tags: JSON.stringify(tags) };
    try {
      return await this.#db.transaction(async (transaction): Promise<InsertOutcome> => {
        await transaction.run(LOCK_KEYS, keyLocks(bucket, key));
        await transaction.run(STATEMENTS.lockOwner, { owner });
        const refusal = await findRefusal(transaction, session, idempotency, limits);
        if (refusal !== undefined) return transaction.undo(refusal);
        await transaction.run(STATEMENTS.insertSession, row);
        if (idempotency === undefined) return { outcome: 'inserted' };
        const claimed = await transaction.run(STATEMENTS.claimIdempotencyKey, { ...session, ...idempotency });
        // By `claimIdempotencyKey`, since it was looked for.
        return claimed.changes === 1 ? { outcome: 'inserted' } : transaction.undo({ outcome: 'taken' });
      });
    } catch (error) {
      // Two keys of the same hash, or a server of another version that locks in another way.
      if (isUniqueViolation(error, 'upload_sessions_running')) return { outcome: 'taken' };
      throw error;
    }
  }

  async usageOf(owner: string): Promise<Usage> {
    return (await this.#first(STATEMENTS.usageOf, { owner })) ?? { openSessions: 0, reservedBytes: 0, settledBytes: 0 };
  }

  async totals(): Promise<Totals> {
    const unfinished = { creating: 0, open: 0, completing: 0, aborting: 0 };
    for (const { status, count } of await this.#all(STATEMENTS.countUnfinished, {})) unfinished[status] = count;
    const { reservedBytes, settledBytes } = (await this.#first(STATEMENTS.sumUsage, {})) ?? { reservedBytes: 0, settledBytes: 0 };
    const heldBytes = (await this.#first(STATEMENTS.sumHeldBytes, {}))?.heldBytes ?? 0;
    return { unfinished, reservedBytes, settledBytes, heldBytes };
  }

  async deleteIdempotencyKeys(before: Instant): Promise<number> {
    return (await this.#db.run(STATEMENTS.deleteIdempotencyKeys, { before })).changes;
  }

  async get(sessionId: string): Promise<UploadSession | undefined> {
    const row = await this.#first(STATEMENTS.getSession, { sessionId });
    return row && toSession(row);
  }

  claimIdempotencyKey(owner: string, idempotency: IdempotencyRecord, sessionId: string, createdAt: Instant): Promise<boolean> {
    return this.#changes(STATEMENTS.claimIdempotencyKey, { owner, ...idempotency, sessionId, createdAt });
  }

  findByIdempotencyKey(owner: string, key: string): Promise<{ sessionId: string; requestHash: string } | undefined> {
    return this.#first(STATEMENTS.findByIdempotencyKey, { owner, key });
  }

  async releaseIdempotencyKey(owner: string, key: string): Promise<void> {
    await this.#db.run(STATEMENTS.releaseIdempotencyKey, { owner, key });
  }

  async findByFingerprint(query: FingerprintQuery, statuses: readonly Status[]): Promise<UploadSession | undefined> {
    const row = await this.#first(STATEMENTS.findByFingerprint, { ...query, statuses });
    return row && toSession(row);
  }

  async list(query: SessionQuery): Promise<{ sessions: UploadSession[]; nextCursor: string | null }> {
    const statement = listStatement(query.owner !== undefined, query.status !== undefined);
    return toListPage(await this.#all(statement, listParameters(query)), query.limit);
  }

  changeStatus(expected: Expected, change: StatusChange): Promise<boolean> {
    const unchanged = { endsAs: null, etag: null, checksum: null };
    return this.#changes(STATEMENTS.changeStatus, { ...unchanged, ...change, ...expected });
  }

  openUpload(expected: Expected, upload: { uploadId: string; initiatedAt: Instant }, at: Instant): Promise<boolean> {
    return this.#db.transaction(async (transaction) => {
      const { changes } = await transaction.run(STATEMENTS.openSession, { ...expected, at });
      if (changes === 0) return false;
      await transaction.run(STATEMENTS.insertUpload, { ...expected, ...upload });
      return true;
    });
  }

  startGeneration(expected: Expected, at: Instant, plan?: PartPlan, attributes?: Partial<ObjectAttributes>): Promise<boolean> {
    return this.#changes(STATEMENTS.startGeneration, { ...expected, ...toNewGeneration(plan, attributes), at });
  }

  async endUpload(sessionId: string, generation: number, at: Instant): Promise<void> {
    await this.#db.run(STATEMENTS.endUpload, { sessionId, generation, at });
  }

  leftoverUploads(before: Instant, limit: number): Promise<LeftoverUpload[]> {
    return this.#all(STATEMENTS.leftoverUploads, { before, limit });
  }

  async hasUpload(uploadId: string): Promise<boolean> {
    return (await this.#first(STATEMENTS.findUpload, { uploadId })) !== undefined;
  }

  async listUnchangedSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]> {
    return (await this.#all(STATEMENTS.listUnchangedSince, { status, before, limit })).map(toSession);
  }

  async listIdleSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]> {
    return (await this.#all(STATEMENTS.listIdleSince, { status, before, limit })).map(toSession);
  }

  async touch(sessionId: string, at: Instant): Promise<void> {
    await this.#db.run(STATEMENTS.touch, { sessionId, at });
  }

  async setOverwrite(sessionId: string, overwrite: boolean): Promise<void> {
    await this.#db.run(STATEMENTS.setOverwrite, { sessionId, overwrite });
  }

  async suspectOrphan(sessionId: string, at: Instant): Promise<void> {
    await this.#db.run(STATEMENTS.suspectOrphan, { sessionId, at });
  }

  listOrphanSuspects(before: Instant, limit: number): Promise<OrphanSuspect[]> {
    return this.#all(STATEMENTS.listOrphanSuspects, { before, limit });
  }

  async clearOrphanSuspicion(sessionId: string, before: Instant): Promise<void> {
    await this.#db.run(STATEMENTS.clearOrphanSuspicion, { sessionId, before });
  }

  async listParts(sessionId: string, generation: number): Promise<StoredPart[]> {
    return (await this.#all(STATEMENTS.listParts, { sessionId, generation })).map(toPart);
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
    const answer = await this.#first(STATEMENTS.recordReport, { ...report, ...columns });
    if (answer?.outcome == null) throw new Error(`no session ${report.sessionId} on record`);
    return answer.outcome === 'replaced' ? { outcome: 'replaced' } : { outcome: answer.outcome, session: toSession(answer) };
  }

  async insertToken(token: Token): Promise<void> {
    await this.#db.run(STATEMENTS.insertToken, toTokenRow(token));
  }

  async findTokenByHash(hash: string): Promise<Token | undefined> {
    const row = await this.#first(STATEMENTS.findTokenByHash, { hash });
    return row && toToken(row);
  }

  async findToken(tokenId: string): Promise<Token | undefined> {
    const row = await this.#first(STATEMENTS.findToken, { tokenId });
    return row && toToken(row);
  }

  async listTokens(): Promise<Token[]> {
    return (await this.#all(STATEMENTS.listTokens, {})).map(toToken);
  }

  revokeToken(tokenId: string, at: Instant): Promise<boolean> {
    return this.#changes(STATEMENTS.revokeToken, { tokenId, at });
  }

  insertCapability(capability: Capability, most: number): Promise<boolean> {
    return this.#changes(STATEMENTS.insertCapability, { ...capability, most });
  }

  findCapabilityByHash(hash: string): Promise<Capability | undefined> {
    return this.#first(STATEMENTS.findCapabilityByHash, { hash });
  }

  async deleteExpiredCapabilities(before: Instant): Promise<number> {
    return (await this.#db.run(STATEMENTS.deleteExpiredCapabilities, { before })).changes;
  }

  acquireSweepLease(holder: string, at: Instant, ttlMs: number): Promise<boolean> {
    return this.#changes(STATEMENTS.acquireSweepLease, { holder, at, expiresAt: at + ttlMs, latest: at + LONGEST_LEASE_MS });
  }

  async releaseSweepLease(holder: string): Promise<void> {
    await this.#db.run(STATEMENTS.releaseSweepLease, { holder });
  }

  async ping(): Promise<void> {
    const answer = await this.#first(STATEMENTS.ping, {});
    if (answer?.read_only === 'on')
      throw new SessionStoreUnavailable('PostgreSQL takes no writes: it is read-only.', 'read-only');
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  async #all<Parameters extends object, Row>(
    statement: Statement<Parameters, Row>,
    parameters: NoInfer<Parameters>,
  ): Promise<Row[]> {
    return (await this.#db.run(statement, parameters)).rows;
  }

  async #first<Parameters extends object, Row>(
    statement: Statement<Parameters, Row>,
    parameters: NoInfer<Parameters>,
  ): Promise<Row | undefined> {
    return (await this.#all(statement, parameters))[0];
  }

  /** Whether the statement found its row as it should be. */
  async #changes<Parameters extends object>(
    statement: Statement<Parameters, unknown>,
    parameters: NoInfer<Parameters>,
  ): Promise<boolean> {
    return (await this.#db.run(statement, parameters)).changes === 1;
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
  const where = { bucket, key, parents: parentsOf(key), since: session.createdAt };
  const [conflict] = (await queries.run(STATEMENTS.findKeyConflict, where)).rows;
  if (conflict !== undefined) return { outcome: 'key-conflict', ...conflict };
  if (limits === undefined) return undefined;
  const [excess] = (await queries.run(STATEMENTS.findExcess, { owner, size, ...limits })).rows;
  if (excess?.overQuota) return { outcome: 'quota-exceeded' };
  return excess?.overSessions ? { outcome: 'too-many-sessions' } : undefined;
}

function listStatement(ofOwner: boolean, inStatus: boolean): (typeof STATEMENTS)['listAll'] {
  if (ofOwner) return inStatus ? STATEMENTS.listOfOwnerInStatus : STATEMENTS.listOfOwner;
  return inStatus ? STATEMENTS.listInStatus : STATEMENTS.listAll;
}
