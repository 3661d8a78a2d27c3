import type { Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { Instant, StoredPart, UploadSession } from '../../session/session.ts';
import type { Outbox } from '../port/outbox.ts';
import type { ClientReport, ReportAnswer } from '../port/parts.ts';
import type { SessionStore } from '../port/session-store.ts';
import type {
  Expected,
  FingerprintQuery,
  IdempotencyRecord,
  InsertOutcome,
  NewSession,
  ObjectAttributes,
  OwnerLimits,
  SessionPage,
  SessionQuery,
  StatusChange,
} from '../port/sessions.ts';
import { type LeftoverUpload, LONGEST_LEASE_MS, type OrphanSuspect } from '../port/sweep.ts';
import type { Capability, Token } from '../port/tokens.ts';
import type { Totals, Usage } from '../port/usage.ts';
import type { Dialect } from './dialect.ts';
import { listParameters, toListPage } from './list-cursor.ts';
import { toNewGeneration, toPart, toSession } from './session-rows.ts';
import type { SharedRunnables } from './statements.ts';
import { toToken, toTokenRow } from './token-rows.ts';

/**
 * The methods of a session store that are one statement in both databases. Transactions differ and stay with each database: an
 * asynchronous transaction on SQLite's one connection would let other requests in between.
 */
export abstract class SqlSessionStore implements SessionStore {
  abstract readonly isShared: boolean;
  abstract readonly outbox: Outbox;
  readonly #statements: SharedRunnables;
  readonly #dialect: Dialect;

  constructor(statements: SharedRunnables, dialect: Dialect) {
    this.#statements = statements;
    this.#dialect = dialect;
  }

  abstract insert(session: NewSession, idempotency?: IdempotencyRecord, limits?: OwnerLimits): Promise<InsertOutcome>;
  abstract openUpload(expected: Expected, upload: { uploadId: string; initiatedAt: Instant }, at: Instant): Promise<boolean>;
  abstract replaceParts(sessionId: string, generation: number, parts: readonly StoredPart[], at: Instant): Promise<void>;
  abstract report(report: ClientReport): Promise<ReportAnswer>;
  abstract ping(): Promise<void>;
  abstract close(): Promise<void>;

  async get(sessionId: string): Promise<UploadSession | undefined> {
    const row = await this.#statements.getSession.first({ sessionId });
    return row && toSession(row);
  }

  async findByFingerprint(query: FingerprintQuery, statuses: readonly Status[]): Promise<UploadSession | undefined> {
    const parameters = { ...query, statuses: this.#dialect.toList(statuses) };
    const row = await this.#statements.findByFingerprint.first(parameters);
    return row && toSession(row);
  }

  async list(query: SessionQuery): Promise<SessionPage> {
    const statement = this.#listStatement(query.owner !== undefined, query.status !== undefined);
    return toListPage(await statement.all(listParameters(query)), query.limit);
  }

  #listStatement(ofOwner: boolean, inStatus: boolean): SharedRunnables['listAll'] {
    if (ofOwner) return inStatus ? this.#statements.listOfOwnerInStatus : this.#statements.listOfOwner;
    return inStatus ? this.#statements.listInStatus : this.#statements.listAll;
  }

  async changeStatus(expected: Expected, change: StatusChange): Promise<boolean> {
    const unchanged = { endsAs: null, etag: null, checksum: null };
    return (await this.#statements.changeStatus.run({ ...unchanged, ...change, ...expected })) === 1;
  }

  async startGeneration(
    expected: Expected,
    at: Instant,
    plan?: PartPlan,
    attributes?: Partial<ObjectAttributes>,
  ): Promise<boolean> {
    const parameters = { ...expected, ...toNewGeneration(plan, attributes), at };
    return (await this.#statements.startGeneration.run(parameters)) === 1;
  }

  async touch(sessionId: string, at: Instant): Promise<void> {
    await this.#statements.touch.run({ sessionId, at });
  }

  async setOverwrite(sessionId: string, overwrite: boolean): Promise<void> {
    await this.#statements.setOverwrite.run({ sessionId, overwrite: this.#dialect.toFlag(overwrite) });
  }

  async reserveIdempotencyKey(owner: string, record: IdempotencyRecord, sessionId: string, createdAt: Instant): Promise<boolean> {
    return (await this.#statements.reserveIdempotencyKey.run({ owner, ...record, sessionId, createdAt })) === 1;
  }

  findByIdempotencyKey(owner: string, key: string): Promise<{ sessionId: string; requestHash: string } | undefined> {
    return this.#statements.findByIdempotencyKey.first({ owner, key });
  }

  async releaseIdempotencyKey(owner: string, key: string): Promise<void> {
    await this.#statements.releaseIdempotencyKey.run({ owner, key });
  }

  deleteIdempotencyKeys(before: Instant): Promise<number> {
    return this.#statements.deleteIdempotencyKeys.run({ before });
  }

  async usageOf(owner: string): Promise<Usage> {
    return (await this.#statements.usageOf.first({ owner })) ?? { openSessions: 0, reservedBytes: 0, settledBytes: 0 };
  }

  async totals(): Promise<Totals> {
    const unfinished = { creating: 0, open: 0, completing: 0, aborting: 0 };
    for (const { status, count } of await this.#statements.countUnfinished.all({})) unfinished[status] = count;
    const { reservedBytes, settledBytes } = (await this.#statements.sumUsage.first({})) ?? { reservedBytes: 0, settledBytes: 0 };
    const heldBytes = (await this.#statements.sumHeldBytes.first({}))?.heldBytes ?? 0;
    return { unfinished, reservedBytes, settledBytes, heldBytes };
  }

  async listParts(sessionId: string, generation: number): Promise<StoredPart[]> {
    return (await this.#statements.listParts.all({ sessionId, generation })).map(toPart);
  }

  async endUpload(sessionId: string, generation: number, at: Instant): Promise<void> {
    await this.#statements.endUpload.run({ sessionId, generation, at });
  }

  leftoverUploads(before: Instant, limit: number): Promise<LeftoverUpload[]> {
    return this.#statements.leftoverUploads.all({ before, limit });
  }

  async hasUpload(uploadId: string): Promise<boolean> {
    return (await this.#statements.findUpload.first({ uploadId })) !== undefined;
  }

  async listUnchangedSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]> {
    return (await this.#statements.listUnchangedSince.all({ status, before, limit })).map(toSession);
  }

  async listIdleSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]> {
    return (await this.#statements.listIdleSince.all({ status, before, limit })).map(toSession);
  }

  async suspectOrphan(sessionId: string, at: Instant): Promise<void> {
    await this.#statements.suspectOrphan.run({ sessionId, at });
  }

  listOrphanSuspects(before: Instant, limit: number): Promise<OrphanSuspect[]> {
    return this.#statements.listOrphanSuspects.all({ before, limit });
  }

  async clearOrphanSuspicion(sessionId: string, before: Instant): Promise<void> {
    await this.#statements.clearOrphanSuspicion.run({ sessionId, before });
  }

  async acquireSweepLease(holder: string, at: Instant, ttlMs: number): Promise<boolean> {
    const parameters = { holder, at, expiresAt: at + ttlMs, latest: at + LONGEST_LEASE_MS };
    return (await this.#statements.acquireSweepLease.run(parameters)) === 1;
  }

  async releaseSweepLease(holder: string): Promise<void> {
    await this.#statements.releaseSweepLease.run({ holder });
  }

  async insertToken(token: Token): Promise<void> {
    await this.#statements.insertToken.run(toTokenRow(token));
  }

  async findTokenByHash(hash: string): Promise<Token | undefined> {
    const row = await this.#statements.findTokenByHash.first({ hash });
    return row && toToken(row);
  }

  async findToken(tokenId: string): Promise<Token | undefined> {
    const row = await this.#statements.findToken.first({ tokenId });
    return row && toToken(row);
  }

  async listTokens(): Promise<Token[]> {
    return (await this.#statements.listTokens.all({})).map(toToken);
  }

  async revokeToken(tokenId: string, at: Instant): Promise<boolean> {
    return (await this.#statements.revokeToken.run({ tokenId, at })) === 1;
  }

  async insertCapability(capability: Capability, most: number): Promise<boolean> {
    return (await this.#statements.insertCapability.run({ ...capability, most })) === 1;
  }

  findCapabilityByHash(hash: string): Promise<Capability | undefined> {
    return this.#statements.findCapabilityByHash.first({ hash });
  }

  deleteExpiredCapabilities(before: Instant): Promise<number> {
    return this.#statements.deleteExpiredCapabilities.run({ before });
  }
}
