import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isTerminal, STATUSES } from '../../src/session/machine.ts';
import type { ClientReport } from '../../src/session-store/port/parts.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import {
  aReport,
  aStoredPart,
  aUniqueName,
  expected,
  healSession,
  insertInStatus,
  insertOpenSession,
  mustGet,
  NOON,
} from '../support/database/sessions.ts';

export function describeTotals(current: () => SessionStore): void {
  it('are zero without sessions', async () => {
    expect(await current().totals()).toStrictEqual({
      unfinished: { creating: 0, open: 0, completing: 0, aborting: 0 },
      reservedBytes: 0,
      settledBytes: 0,
      heldBytes: 0,
    });
  });

  it('count unfinished sessions by status, and add up the sizes of all owners', async () => {
    await insertInStatus(current(), 'creating', { owner: 'alice', size: 1 });
    await insertInStatus(current(), 'open', { owner: 'alice', size: 20 });
    await insertInStatus(current(), 'open', { owner: 'bob', size: 300 });
    await insertInStatus(current(), 'completing', { owner: 'bob', size: 4_000 });
    await insertInStatus(current(), 'aborting', { owner: 'bob', size: 50_000 });
    await insertInStatus(current(), 'completed', { owner: 'alice', size: 600_000 });
    await insertInStatus(current(), 'completed', { owner: 'carol', size: 7_000_000 });
    await insertInStatus(current(), 'aborted', { owner: 'alice', size: 80_000_000 });
    await insertInStatus(current(), 'expired', { owner: 'bob', size: 900_000_000 });

    expect(await current().totals()).toStrictEqual({
      unfinished: { creating: 1, open: 2, completing: 1, aborting: 1 },
      reservedBytes: 54_321,
      settledBytes: 7_600_000,
      heldBytes: 0,
    });
  });
}

export function describeHeldBytes(current: () => SessionStore): void {
  const held = async () => (await current().totals()).heldBytes;
  const part = (partNumber: number, size: number) => aStoredPart(partNumber, { size });

  it('add up the parts of all sessions, each part once', async () => {
    const { sessionId: one } = await insertOpenSession(current(), { key: 'one' });
    const { sessionId: two } = await insertOpenSession(current(), { key: 'two' });
    await current().report(aReport(one, { parts: [part(1, 5), part(2, 60)] }));
    await current().report(aReport(two, { parts: [part(1, 700)] }));
    expect(await held()).toBe(765);

    await current().report(aReport(one, { parts: [part(2, 60), part(3, 8_000), part(3, 9_000)] }));
    expect(await held()).toBe(9_765);
  });

  it('follow the listings of the object store', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: [part(1, 5), part(2, 60), part(3, 700)], at: NOON }));

    await current().replaceParts(sessionId, 1, [part(1, 6), part(3, 700), part(4, 8_000)], NOON + 1);

    expect(await held()).toBe(8_706);
  });

  it('are zero for a new generation, whatever is reported for the previous one', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: [part(1, 5), part(2, 60)], at: NOON }));
    await healSession(current(), sessionId);
    expect(await held()).toBe(0);

    await current().report(aReport(sessionId, { parts: [part(3, 700)] }));
    await current().replaceParts(sessionId, 1, [part(1, 9)], NOON + 1);
    expect(await held()).toBe(0);

    await current().report(aReport(sessionId, { generation: 2, parts: [part(1, 5)] }));
    expect(await held()).toBe(5);
  });

  it.each(STATUSES)('of a session that is %s count unless it has ended', async (status) => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: [part(1, 5)] }));
    await current().changeStatus(expected(sessionId, 'open'), { to: status, at: NOON, endsAs: 'aborted', etag: '"e"' });

    expect(await held()).toBe(isTerminal(status) ? 0 : 5);
  });

  it('are right to the byte after any history', async () => {
    const parts = fc.array(fc.record({ partNumber: fc.integer({ min: 1, max: 6 }), size: fc.nat(1_000) }), { maxLength: 6 });
    const step = fc.record({
      session: fc.nat(2),
      what: fc.constantFrom('report', 'list', 'heal', 'end'),
      generation: fc.integer({ min: 1, max: 3 }),
      parts,
      at: fc.integer({ min: NOON, max: NOON + 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (history) => {
        const ids: string[] = [];
        for (let count = 0; count < 3; count++)
          ids.push((await insertOpenSession(current(), { key: aUniqueName('key') })).sessionId);
        for (const { session, what, generation, parts: given, at } of history)
          await happen(what, {
            sessionId: ids[session] ?? '',
            generation,
            parts: given.map((p) => part(p.partNumber, p.size)),
            at,
          });

        const { sessions } = await current().list({ limit: 1_000 });
        for (const { sessionId, generation, storedBytes, partsStored } of sessions) {
          const stored = await current().listParts(sessionId, generation);
          expect({ storedBytes, partsStored }).toStrictEqual({
            storedBytes: stored.reduce((sum, { size }) => sum + size, 0),
            partsStored: stored.length,
          });
        }
        const unfinished = sessions.filter(({ status }) => !isTerminal(status));
        expect(await held()).toBe(unfinished.reduce((sum, { storedBytes }) => sum + storedBytes, 0));
      }),
      { numRuns: 40 },
    );
  });

  async function happen(
    what: 'report' | 'list' | 'heal' | 'end',
    { sessionId, generation, parts, at }: Pick<ClientReport, 'sessionId' | 'generation' | 'parts' | 'at'>,
  ): Promise<void> {
    const { status, generation: latest } = await mustGet(current(), sessionId);
    if (what === 'report') await current().report(aReport(sessionId, { generation, parts, at }));
    if (what === 'list' && generation <= latest) await current().replaceParts(sessionId, generation, parts, at);
    if (status !== 'open') return;
    if (what === 'heal') await healSession(current(), sessionId, latest);
    if (what === 'end') await current().changeStatus(expected(sessionId, status, latest), { to: 'completed', at, etag: '"e"' });
  }
}
