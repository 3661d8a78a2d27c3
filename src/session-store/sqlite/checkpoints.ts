import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { type SqliteDatabase, sqlitePackage } from './driver.ts';

const CHECKPOINT_EVERY_MS = 500;
/** Whoever commits beyond 64 MiB checkpoints himself, and then has the WAL begin anew: in a busy server that never falls to the thread. */
const LAST_RESORT_PAGES = 16_384;
/** SQLite's own limit, of 4 MiB. */
const USUAL_PAGES = 1_000;

/**
 * What the thread runs: text, because a thread is started from JavaScript and the tests run TypeScript. PASSIVE waits for nobody and
 * keeps nobody waiting, and where nothing was written it does nothing. What fails here (a full disk) fails for the next commit, too, and
 * is told there.
 */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const Database = require(workerData.driver);
  const db = new Database(workerData.file, { fileMustExist: true });
  db.pragma('synchronous = FULL');
  parentPort.on('message', (message) => {
    if (message === 'stop') {
      db.close();
      parentPort.close();
      return;
    }
    try {
      db.pragma('wal_checkpoint(PASSIVE)');
    } catch {}
    parentPort.postMessage('done');
  });
`;

export interface CheckpointOptions {
  readonly everyMs?: number;
  /** Asked right before each: a file that is not the database any more must not be written. */
  readonly mayBegin?: () => boolean;
}

export interface Checkpoints {
  stop(): Promise<void>;
}

/**
 * Copies the WAL of `file` into the database in a thread of its own: two syncs to the disk, which SQLite has whichever commit fills the
 * WAL do. With 200 clients that was a pause of 40 ms every second, on a fast disk. `db` is the connection that commits.
 */
export function startCheckpoints(
  file: string,
  db: SqliteDatabase,
  { everyMs = CHECKPOINT_EVERY_MS, mayBegin = () => true }: CheckpointOptions = {},
): Checkpoints {
  db.exec(`PRAGMA wal_autocheckpoint = ${LAST_RESORT_PAGES}`);
  const driver = createRequire(import.meta.url).resolve(sqlitePackage(process.versions.napi));
  const thread = new Worker(THREAD, {
    eval: true,
    workerData: { driver, file },
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
  });
  // It must not keep a process that is at its end.
  thread.unref();
  let isBusy = false;
  thread.on('message', () => {
    isBusy = false;
  });
  const timer = setInterval(() => {
    if (isBusy || !mayBegin()) return;
    isBusy = true;
    thread.postMessage('checkpoint');
  }, everyMs);
  timer.unref();
  // Whatever it failed of, the process can do without it.
  thread.once('error', () => {
    clearInterval(timer);
    db.exec(`PRAGMA wal_autocheckpoint = ${USUAL_PAGES}`);
  });
  const ended = new Promise<void>((resolve) => {
    thread.once('exit', () => resolve());
  });
  return {
    async stop() {
      clearInterval(timer);
      // Here the process does wait, also one that has nothing else left to do.
      thread.ref();
      thread.postMessage('stop');
      await ended;
    },
  };
}
