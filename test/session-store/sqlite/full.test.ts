import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openSqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aNewSession } from '../../support/database/sessions.ts';
import { mountSmallDisk } from '../../support/files/full-disk.ts';

const PAGE = 4_096;
/** Much more than a session needs. */
const ENOUGH_PAGES = 400;

/** A session as large as the wire allows. */
const aLargeSession = () =>
  aNewSession({
    fileName: 'f'.repeat(1_024),
    metadata: { m: 'x'.repeat(1_900) },
    tags: { t: 'x'.repeat(250) },
    fingerprint: randomUUID().padEnd(200, 'x'),
  });

/** Uses up the room that the WAL has already. */
async function insertUntilRefused(store: SessionStore): Promise<void> {
  for (let count = 0; count < ENOUGH_PAGES; count++) await store.insert(aLargeSession());
}

it('on a disk that gets room page by page, the database passes its ping only once a session can be recorded', async (context) => {
  const disk = await mountSmallDisk(context);
  const file = join(disk.folder, 'partway.db');
  const store = openSqliteStore(file, { isServer: true });
  onTestFinished(() => store.close());
  await store.ping();
  await store.insert(aLargeSession());
  // While another connection reads an old state, each commit makes the WAL longer.
  const reader = openSqliteDatabase(file);
  onTestFinished(() => void reader.close());
  reader.exec('BEGIN; SELECT COUNT(*) FROM upload_sessions');
  await disk.fill(process.pid);
  const full = expect.objectContaining({ name: 'SessionStoreUnavailable', reason: 'full' });
  await expect(insertUntilRefused(store)).rejects.toEqual(full);

  let refusals = 0;
  for (let pages = 1; pages <= ENOUGH_PAGES; pages++) {
    disk.giveBack(PAGE);
    const isWell = await store.ping().then(
      () => true,
      (error: unknown) => {
        expect(error).toEqual(full);
        return false;
      },
    );
    if (isWell) break;
    refusals++;
  }

  expect(refusals).toBeGreaterThan(1);
  expect(refusals).toBeLessThan(ENOUGH_PAGES);
  expect(await store.insert(aLargeSession())).toEqual({ outcome: 'inserted' });
});
