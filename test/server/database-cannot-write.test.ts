import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type * as wire from '../../src/contract/wire.ts';
import { problemAnswer } from '../../src/server/http/problem-response.ts';
import type { Unavailability } from '../../src/session-store/port/unavailable.ts';
import { openSqliteDatabase, type SqliteDatabase } from '../../src/session-store/sqlite/driver.ts';
import { createSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import {
  adminService,
  ControlPlaneBench,
  readProblem,
  ServiceBench,
  SMALL_FILE,
  SMALL_FILE_CHECKSUM,
} from '../support/server/control-plane.ts';
import { checkInvariants, finishWhatIsOpen, operations, type Scene, settleDown } from './interrupted-operations.ts';

/** A real SQLite database that refuses writes from a chosen moment on, by its own means, so that it works for any user on any system. */
interface Refusal {
  readonly name: string;
  readonly reason: Unavailability;
  /** Makes a database in which any single write can be the refused one. */
  prepare(db: SqliteDatabase): void;
  /** The `nth` write (or call, where that is the same) from now on is refused, and all after it. */
  refuseFrom(db: SqliteDatabase, nth: number): void;
  /** Before each call to the store. */
  beforeCall(db: SqliteDatabase): void;
  makeRoom(db: SqliteDatabase): void;
}

/** SQLITE_FULL. Each row that is written adds a page of ballast, so the limit on pages is reached in the middle of any transaction. */
const full: Refusal = {
  name: 'full',
  reason: 'full',
  prepare(db) {
    db.exec('CREATE TABLE ballast (filling BLOB)');
    for (const { name } of db.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'").all()) {
      if (name === 'ballast' || name.startsWith('sqlite_')) continue;
      for (const event of ['INSERT', 'UPDATE', 'DELETE'])
        db.exec(
          `CREATE TRIGGER ballast_${event}_${name} AFTER ${event} ON ${name} BEGIN INSERT INTO ballast VALUES (zeroblob(4096)); END`,
        );
    }
  },
  refuseFrom(db, nth) {
    const { page_count: pages } = db.prepare<[], { page_count: number }>('PRAGMA page_count').get() ?? { page_count: 0 };
    db.prepare(`PRAGMA max_page_count = ${pages + nth - 1}`).get();
  },
  beforeCall() {},
  makeRoom(db) {
    db.prepare('PRAGMA max_page_count = 1000000').get();
  },
};

/** SQLITE_READONLY. */
function createReadOnly(): Refusal {
  let callsLeft = Number.POSITIVE_INFINITY;
  return {
    name: 'read-only',
    reason: 'read-only',
    prepare() {},
    refuseFrom(_, nth) {
      callsLeft = nth;
    },
    beforeCall(db) {
      if (--callsLeft === 0) db.exec('PRAGMA query_only = ON');
    },
    makeRoom(db) {
      callsLeft = Number.POSITIVE_INFINITY;
      db.exec('PRAGMA query_only = OFF');
    },
  };
}

const REFUSALS = [full, createReadOnly()];

/** More writes than any operation makes: a run that never ends would be a bug of the test. */
const ENOUGH = 200;

interface Refused {
  readonly scene: Scene;
  readonly db: SqliteDatabase;
  /** The method of the store that was refused first; undefined while none was. */
  hit: string | undefined;
}

function aScene(refusal: Refusal): Refused {
  const db = openSqliteDatabase(':memory:');
  const sessions = createSqliteStore(db);
  refusal.prepare(db);
  const bench = new ServiceBench({
    sessions,
    async aroundSessions(method, call) {
      refusal.beforeCall(db);
      try {
        return await call();
      } catch (error) {
        expect(error, method).toMatchObject({ name: 'SessionStoreUnavailable', reason: refusal.reason });
        refused.hit ??= method;
        throw error;
      }
    },
  });
  const refused: Refused = { scene: { bench, service: adminService(bench.deps) }, db, hit: undefined };
  return refused;
}

describe.each(REFUSALS)('a database that is $name', (refusal) => {
  it.each(operations)(
    'at any write of $name is reported as temporary: nothing is lost or wrongly completed',
    async (operation) => {
      for (let nth = 1; nth <= ENOUGH; nth++) {
        const refused = aScene(refusal);
        const { scene, db } = refused;
        const sessionId = await operation.prepare(scene);
        refusal.refuseFrom(db, nth);
        const error = await operation.run(scene, sessionId).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        refusal.makeRoom(db);
        try {
          if (refused.hit !== undefined && !operation.isSweep)
            expect(problemAnswer(error, '')).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' });
          await settleDown(scene.bench);
          await checkInvariants(scene.bench, operation);
          await finishWhatIsOpen(scene.bench);
        } catch (cause) {
          throw new Error(`refused from write ${nth} on (${refused.hit})`, { cause });
        } finally {
          await scene.bench.sessions.close();
        }
        if (refused.hit === undefined) {
          expect(nth).toBeGreaterThan(1);
          return;
        }
      }
      throw new Error(`more than ${ENOUGH} writes`);
    },
  );
});

describe('a database that became read-only', () => {
  const DETAIL = "The server's database cannot be written: it is read-only. Nothing that it had recorded is lost.";
  let db: SqliteDatabase;
  let bench: ControlPlaneBench;
  let session: wire.Session;
  beforeEach(async () => {
    db = openSqliteDatabase(':memory:');
    const sessions = createSqliteStore(db);
    onTestFinished(() => sessions.close());
    bench = new ControlPlaneBench({ sessions });
    session = await bench.create();
    await bench.putParts(session.sessionId, SMALL_FILE);
    // What has just been active is not written down as active again.
    bench.clock.advance(60_000);
    db.exec('PRAGMA query_only = ON');
  });

  const ofSession = (rest = '') => `/api/uploads/${session.sessionId}${rest}`;

  it.each<[string, string, () => string, unknown]>([
    ['create', 'POST', () => '/api/uploads', { fileName: 'other', size: 1 }],
    ['presign', 'POST', () => ofSession('/parts/presign'), { partNumbers: [1] }],
    ['report', 'POST', () => ofSession('/report'), { clientId: 'c' }],
    ['parts', 'GET', () => ofSession('/parts'), undefined],
    ['complete', 'POST', () => ofSession('/complete'), { checksum: SMALL_FILE_CHECKSUM }],
    ['abort', 'DELETE', () => ofSession(), undefined],
    ['grant', 'POST', () => ofSession('/capabilities'), {}],
  ])(
    'answers %s with the problem and when to come again, logs it as an error, and goes on once it can write',
    async (_, method, path, body) => {
      const response = await bench.send(method, path(), { body });

      expect(response.headers.get('retry-after')).toBe('2');
      expect(await response.json()).toMatchObject({
        status: 503,
        code: 'STORE_UNAVAILABLE',
        detail: DETAIL,
        retryAfterSeconds: 2,
      });
      expect(bench.logged.filter(({ level }) => level === 'error')).toMatchObject([
        { message: 'request failed', fields: { err: { message: expect.stringContaining('SQLITE_READONLY') } } },
      ]);
      expect(await bench.ask('GET', ofSession())).toMatchObject({ status: 'open' });
      expect(bench.objects.read('film.mkv')).toBeUndefined();

      db.exec('PRAGMA query_only = OFF');
      expect((await bench.send(method, path(), { body })).ok).toBe(true);
    },
  );

  it('still shows sessions, lists and progress', async () => {
    for (const path of ['/api/uploads', ofSession(), ofSession('/progress')])
      expect((await bench.send('GET', path)).status, path).toBe(200);
  });

  it('shows at /readyz from the first failed write until it can be written, and is not written just to find out', async () => {
    const readyz = () => {
      bench.clock.advance(1_000);
      return bench.send('GET', '/readyz');
    };
    db.exec('PRAGMA query_only = OFF');
    expect((await readyz()).status).toBe(200);
    db.exec('PRAGMA query_only = ON');
    expect((await readyz()).status).toBe(200);

    await bench.send('POST', ofSession('/report'), { body: { clientId: 'c' } });

    expect(await readProblem(await readyz())).toMatchObject({
      status: 503,
      code: 'STORE_UNAVAILABLE',
      checks: {
        database: { ok: false, detail: "The server's database cannot be written: it is read-only." },
        bucket: { ok: true },
      },
    });
    db.exec('PRAGMA query_only = OFF');
    expect((await readyz()).status).toBe(200);
  });
});
