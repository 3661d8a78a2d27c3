import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { type SqliteDatabase, sqlitePackage } from './driver.ts';

const CHECKPOINT_EVERY_MS = 500;
/** A commit that grows the WAL past 64 MiB checkpoints and resets it itself; under constant load the background thread never gets to. */
const LAST_RESORT_PAGES = 16_384;
/** SQLite's default of 4 MiB. */
const USUAL_PAGES = 1_000;

/** Beside this file in src and, as the build copies it, in dist. */
const THREAD = new URL('./checkpoint-thread.js', import.meta.url);

export interface CheckpointOptions {
  readonly everyMs?: number;
  /** Called right before each checkpoint: a file that is no longer the database must not be written. */
  readonly mayBegin?: () => boolean;
}

export interface Checkpoints {
  stop(): Promise<void>;
}

/**
 * Copies the WAL of `file` into the database in a thread of its own. This takes two syncs to the disk, which otherwise the commit does that
 * fills the WAL: with 200 clients a pause of 40 ms every second, on a fast disk. `db` is the connection that commits.
 */
export function startCheckpoints(
  file: string,
  db: SqliteDatabase,
  { everyMs = CHECKPOINT_EVERY_MS, mayBegin = () => true }: CheckpointOptions = {},
): Checkpoints {
  db.exec(`PRAGMA wal_autocheckpoint = ${LAST_RESORT_PAGES}`);
  const driver = createRequire(import.meta.url).resolve(sqlitePackage(process.versions.napi));
  const thread = new Worker(THREAD, {
    workerData: { driver, file },
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
  });
  // The thread must not keep an ending process alive.
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
  // Whatever made the thread fail, the process can do without it.
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
      // Here an ending process must wait for the thread.
      thread.ref();
      thread.postMessage('stop');
      await ended;
    },
  };
}
