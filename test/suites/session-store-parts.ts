import { expect, it } from 'vitest';
import { GiB, MiB, planParts, S3_LIMITS } from '../../src/session/part-plan.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import {
  aReport,
  aStoredPart,
  expected,
  healSession,
  insertOpenSession,
  insertSession,
  mustGet,
  NOON,
  storedParts,
} from '../support/database/sessions.ts';

export function describeTouch(current: () => SessionStore): void {
  it('moves the last activity forwards and changes nothing else', async () => {
    const { sessionId } = await insertOpenSession(current());
    const before = await mustGet(current(), sessionId);

    await current().touch(sessionId, NOON + 77);

    expect(await current().get(sessionId)).toStrictEqual({ ...before, lastActivityAt: NOON + 77 });
  });

  it('never moves it backwards', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().touch(sessionId, NOON + 77);

    await current().touch(sessionId, NOON + 76);

    expect((await mustGet(current(), sessionId)).lastActivityAt).toBe(NOON + 77);
  });

  it('does nothing without such a session', async () => {
    await expect(current().touch('nobody', NOON)).resolves.toBeUndefined();
  });
}

export function describeReplaceParts(current: () => SessionStore): void {
  it('records exactly the given parts, in the order of their numbers', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: [...storedParts(1, 3), aStoredPart(9)], at: NOON + 1 }));
    const held = [aStoredPart(10, { size: 7 }), aStoredPart(2), aStoredPart(3, { etag: '"new"', checksum: null })];

    await current().replaceParts(sessionId, 1, held, NOON + 2);

    expect(await current().listParts(sessionId, 1)).toStrictEqual([held[1], held[2], held[0]]);
    expect(await current().get(sessionId)).toMatchObject({ partsStored: 3, storedBytes: 20 * MiB + 7 });
  });

  it('deletes all recorded parts if the object store holds none', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: storedParts(1, 3), at: NOON + 1 }));

    await current().replaceParts(sessionId, 1, [], NOON + 1);

    expect(await current().get(sessionId)).toMatchObject({ partsStored: 0, storedBytes: 0 });
  });

  it('keeps parts that were reported after the object store was asked', async () => {
    const { sessionId } = await insertOpenSession(current());
    const sentAgain = aStoredPart(2, { etag: '"sent again"' });
    await current().report(aReport(sessionId, { parts: storedParts(1, 2), at: NOON + 1 }));
    await current().report(aReport(sessionId, { parts: [sentAgain, aStoredPart(3)], at: NOON + 3 }));

    await current().replaceParts(sessionId, 1, [aStoredPart(2)], NOON + 2);

    expect(await current().listParts(sessionId, 1)).toStrictEqual([sentAgain, aStoredPart(3)]);
  });

  it('changes the given generation only', async () => {
    const { sessionId } = await insertOpenSession(current());
    await healSession(current(), sessionId);
    await current().replaceParts(sessionId, 2, storedParts(1, 5), NOON + 20);

    await current().replaceParts(sessionId, 1, storedParts(1, 2), NOON + 21);

    expect(await current().get(sessionId)).toMatchObject({ partsStored: 5, storedBytes: 50 * MiB });
    expect(await current().listParts(sessionId, 1)).toHaveLength(2);
  });

  it('is not client activity', async () => {
    const { sessionId } = await insertOpenSession(current());

    await current().replaceParts(sessionId, 1, storedParts(1, 2), NOON + 999);

    expect((await mustGet(current(), sessionId)).lastActivityAt).toBe(NOON);
  });

  it('rejects a generation without an upload on record', async () => {
    const { sessionId } = await insertSession(current());

    await expect(current().replaceParts(sessionId, 1, [aStoredPart(1)], NOON)).rejects.toThrow();
    await expect(current().replaceParts('nobody', 1, [], NOON)).rejects.toThrow();
  });

  it('adds up 10,000 parts of a 5 TiB file exactly', async () => {
    const size = S3_LIMITS.maxObjectSize;
    const partSize = 525 * MiB;
    const plan = planParts(size, 'multipart', partSize);
    const { sessionId } = await insertOpenSession(current(), { size, plan });
    const parts = storedParts(1, plan.partCount - 1, { size: partSize });
    parts.push(aStoredPart(plan.partCount, { size: size - partSize * (plan.partCount - 1) }));

    await current().replaceParts(sessionId, 1, parts, NOON + 10);

    expect(await current().get(sessionId)).toMatchObject({ storedBytes: size, partsStored: plan.partCount });
    expect(await current().listParts(sessionId, 1)).toStrictEqual(parts);
  });
}

export function describeReport(current: () => SessionStore): void {
  it('adds parts to those on record, and stores the figures', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: [aStoredPart(5)], at: NOON + 1_000 }));

    const second = aReport(sessionId, {
      parts: storedParts(1, 2),
      inFlightBytes: 2 ** 33,
      bytesPerSecond: 1234.5,
      at: NOON + 2_000,
    });
    const answer = await current().report(second);
    expect(answer).toStrictEqual({ outcome: 'recorded', session: await mustGet(current(), sessionId) });

    expect(await current().listParts(sessionId, 1)).toStrictEqual([...storedParts(1, 2), aStoredPart(5)]);
    expect(await current().get(sessionId)).toMatchObject({
      storedBytes: 30 * MiB,
      partsStored: 3,
      inFlightBytes: 2 ** 33,
      bytesPerSecond: 1234.5,
      reportedAt: NOON + 2_000,
      lastActivityAt: NOON + 2_000,
      status: 'open',
      updatedAt: NOON + 6,
    });
  });

  it('replaces a part that is reported again, even within one report', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: storedParts(1, 2) }));
    const again = aStoredPart(2, { etag: '"other"', checksum: null, size: 3 });

    await current().report(aReport(sessionId, { parts: [aStoredPart(2, { etag: '"soon gone"' }), again] }));

    expect(await current().listParts(sessionId, 1)).toStrictEqual([aStoredPart(1), again]);
    expect((await mustGet(current(), sessionId)).storedBytes).toBe(10 * MiB + 3);
  });

  it('keeps ETags as the object store wrote them, and parts of more than 4 GiB', async () => {
    const { sessionId } = await insertOpenSession(current(), { size: 5 * GiB });
    const part = aStoredPart(1, { etag: '"D41D8CD9 …-é\'%"', size: 5 * GiB });

    await current().report(aReport(sessionId, { parts: [part] }));

    expect(await current().listParts(sessionId, 1)).toStrictEqual([part]);
    expect((await mustGet(current(), sessionId)).storedBytes).toBe(5 * GiB);
  });

  it('never moves the last activity backwards', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().touch(sessionId, NOON + 9_000);

    await current().report(aReport(sessionId, { at: NOON + 1_000 }));

    expect((await mustGet(current(), sessionId)).lastActivityAt).toBe(NOON + 9_000);
  });

  it('lets a new client take over the session, and refuses the older one from then on', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { clientId: 'old', parts: [aStoredPart(1)] }));

    expect(await current().report(aReport(sessionId, { clientId: 'new', parts: [aStoredPart(2)] }))).toMatchObject({
      outcome: 'recorded',
    });

    const before = await current().get(sessionId);
    const late = aReport(sessionId, { clientId: 'old', parts: [aStoredPart(3)], inFlightBytes: 5, at: NOON + 90_000 });
    expect(await current().report(late)).toStrictEqual({ outcome: 'replaced' });
    expect(await current().report({ ...late, generation: 2 })).toStrictEqual({ outcome: 'replaced' });
    expect(await current().get(sessionId)).toStrictEqual(before);
    expect(await current().report(aReport(sessionId, { clientId: 'new', parts: [aStoredPart(4)] }))).toMatchObject({
      outcome: 'recorded',
    });
  });

  it('decides by the order of first reports, not by clocks', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { clientId: 'old', at: NOON + 9_000 }));
    await current().report(aReport(sessionId, { clientId: 'new', at: NOON + 1_000 }));

    expect(await current().report(aReport(sessionId, { clientId: 'old', at: NOON + 10_000 }))).toStrictEqual({
      outcome: 'replaced',
    });
    expect(await current().report(aReport(sessionId, { clientId: 'new', at: NOON + 1_001 }))).toMatchObject({
      outcome: 'recorded',
    });
  });

  it('keeps the clients of one session apart from those of another', async () => {
    const one = await insertOpenSession(current());
    const other = await insertOpenSession(current());
    await current().report(aReport(one.sessionId, { clientId: 'a' }));
    await current().report(aReport(one.sessionId, { clientId: 'b' }));

    expect(await current().report(aReport(other.sessionId, { clientId: 'a' }))).toMatchObject({ outcome: 'recorded' });
  });

  it('is stale for another generation: it counts as activity, but its parts and figures are ignored', async () => {
    const { sessionId } = await insertOpenSession(current());
    await healSession(current(), sessionId);
    const stale = { parts: [aStoredPart(1)], inFlightBytes: 5, bytesPerSecond: 5, at: NOON + 4_000 };

    expect(await current().report(aReport(sessionId, { ...stale, generation: 1 }))).toMatchObject({ outcome: 'stale' });
    const answer = await current().report(aReport(sessionId, { ...stale, generation: 3 }));
    expect(answer).toStrictEqual({ outcome: 'stale', session: await mustGet(current(), sessionId) });

    expect(await current().get(sessionId)).toMatchObject({
      storedBytes: 0,
      inFlightBytes: 0,
      bytesPerSecond: 0,
      reportedAt: null,
      lastActivityAt: NOON + 4_000,
    });
    for (const generation of [1, 2]) expect(await current().listParts(sessionId, generation)).toStrictEqual([]);
  });

  it('is stale while the current generation has no upload on record', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().startGeneration(expected(sessionId, 'open'), NOON);

    const answer = await current().report(aReport(sessionId, { generation: 2, parts: [aStoredPart(1)] }));

    expect(answer).toStrictEqual({ outcome: 'stale', session: await mustGet(current(), sessionId) });
    expect(answer).toMatchObject({ session: { storedBytes: 0, uploadId: null } });
  });

  it('lets a new client take over with a stale report too, across generations', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { clientId: 'old' }));
    await healSession(current(), sessionId);

    expect(await current().report(aReport(sessionId, { clientId: 'new', generation: 1 }))).toMatchObject({ outcome: 'stale' });

    expect(await current().report(aReport(sessionId, { clientId: 'old', generation: 2 }))).toStrictEqual({ outcome: 'replaced' });
    expect(await current().report(aReport(sessionId, { clientId: 'new', generation: 2 }))).toMatchObject({ outcome: 'recorded' });
  });

  it('rejects a report on a session that does not exist', async () => {
    await expect(current().report(aReport('nobody'))).rejects.toThrow();
  });

  it('records nothing of a report that cannot be recorded completely', async () => {
    const { sessionId } = await insertOpenSession(current());
    const before = await current().get(sessionId);
    const impossible = aReport(sessionId, { clientId: 'new', parts: [aStoredPart(1), aStoredPart(10_001)], inFlightBytes: 5 });

    await expect(current().report(impossible)).rejects.toThrow();

    expect(await current().get(sessionId)).toStrictEqual(before);
    expect(await current().listParts(sessionId, 1)).toStrictEqual([]);
    // `new` did not become a client either: the next client to report is the first.
    await current().report(aReport(sessionId, { clientId: 'old' }));
    expect(await current().report(aReport(sessionId, { clientId: 'new' }))).toMatchObject({ outcome: 'recorded' });
  });
}
