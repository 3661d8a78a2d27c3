// @ts-check
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

/*
 * Runs in the thread that `startCheckpoints` starts. JavaScript, because a thread on Node 20 does not run TypeScript, and tests run src.
 * A PASSIVE checkpoint does not wait, makes no other connection wait, and does nothing if nothing was written. If it fails (on a full
 * disk), the next commit fails as well, and reports the error.
 */

/** @type {{ driver: string, file: string }} */
const { driver, file } = workerData;
/** @type {new (file: string, options: { fileMustExist: boolean }) => { pragma(text: string): unknown, close(): unknown }} */
const Database = createRequire(import.meta.url)(driver);

const db = new Database(file, { fileMustExist: true });
db.pragma('synchronous = FULL');
parentPort?.on('message', (message) => {
  if (message === 'stop') {
    db.close();
    parentPort?.close();
    return;
  }
  try {
    db.pragma('wal_checkpoint(PASSIVE)');
  } catch {
    // The next commit reports it.
  }
  parentPort?.postMessage('done');
});
