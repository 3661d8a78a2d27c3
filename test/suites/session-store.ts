import { afterEach, beforeEach, describe } from 'vitest';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { describeSweepLease } from './session-store-lease.ts';
import {
  describeChangeStatus,
  describeLeftoverUploads,
  describeOpenUpload,
  describeOrphanSuspicion,
  describeSetOverwrite,
  describeStartGeneration,
  describeSweeperQueries,
} from './session-store-lifecycle.ts';
import {
  describeOutboxBacklog,
  describeOutboxDelivery,
  describeOutboxHistory,
  describeOutboxWriting,
} from './session-store-outbox.ts';
import { describeReplaceParts, describeReport, describeTouch } from './session-store-parts.ts';
import {
  describeFindByFingerprint,
  describeIdempotencyKeys,
  describeInsert,
  describeList,
  describeNul,
  describeOneRunningSession,
  describePingAndClose,
} from './session-store-records.ts';
import { describeCapabilities, describeTokens } from './session-store-tokens.ts';
import { describeHeldBytes, describeTotals } from './session-store-totals.ts';
import { describeKeyConflicts, describeLimits, describeUsage } from './session-store-usage.ts';

export interface SessionStoreFixture {
  /** An empty store. */
  readonly store: SessionStore;
  close(): Promise<void>;
}

/** Tests for every session store: at least one for each sentence of src/session-store/port. */
export function describeSessionStore(name: string, factory: () => Promise<SessionStoreFixture>): void {
  describe(`${name} as a session store`, () => {
    let fixture: SessionStoreFixture;
    let store: SessionStore;
    beforeEach(async () => {
      fixture = await factory();
      store = fixture.store;
    });
    afterEach(() => fixture.close());

    const current = () => store;
    describe('insert', () => describeInsert(current));
    describe('idempotency keys', () => describeIdempotencyKeys(current));
    describe('one running session for a file', () => describeOneRunningSession(current));
    describe('findByFingerprint', () => describeFindByFingerprint(current));
    describe('list', () => describeList(current));
    describe('changeStatus', () => describeChangeStatus(current));
    describe('openUpload', () => describeOpenUpload(current));
    describe('startGeneration', () => describeStartGeneration(current));
    describe('leftover uploads', () => describeLeftoverUploads(current));
    describe('queries of the sweeper', () => describeSweeperQueries(current));
    describe('the lease of the sweep', () => describeSweepLease(current));
    describe('orphan suspicion', () => describeOrphanSuspicion(current));
    describe('setOverwrite', () => describeSetOverwrite(current));
    describe('touch', () => describeTouch(current));
    describe('replaceParts', () => describeReplaceParts(current));
    describe('report', () => describeReport(current));
    describe('usage', () => describeUsage(current));
    describe('totals', () => describeTotals(current));
    describe('held bytes', () => describeHeldBytes(current));
    describe('limits of an owner', () => describeLimits(current));
    describe('keys above and below others', () => describeKeyConflicts(current));
    describe('events in the outbox', () => describeOutboxWriting(current));
    describe('delivery of events', () => describeOutboxDelivery(current));
    describe('the backlog of events', () => describeOutboxBacklog(current));
    describe('history of events', () => describeOutboxHistory(current));
    describe('tokens', () => describeTokens(current));
    describe('capabilities', () => describeCapabilities(current));
    describe('NUL', () => describeNul(current));
    describe('ping and close', () => describePingAndClose(current));
  });
}
