import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { SessionStoreStartError } from '../port/start-error.ts';
import { loadSqlite, openSqliteDatabase } from './driver.ts';

/**
 * Copies the database as it is at one instant, while other processes read and write it. `VACUUM INTO` reads in one transaction, which
 * blocks no other connection in WAL mode; SQLite's backup API would start again whenever another process writes.
 * When this returns, the copy is complete, on disk, and readable by this user alone; until then it has another name.
 * @returns its size in bytes. @throws SessionStoreStartError if the destination exists, or there is no database.
 */
export function backUpSqlite(path: string, destination: string): number {
  if (!existsSync(path)) throw new SessionStoreStartError(`There is no database at ${path}.`, 'Check PARTWAY_DATABASE_URL.');
  if (existsSync(destination)) {
    throw new SessionStoreStartError(`${destination} exists already.`, 'Choose another name: a backup never replaces one.');
  }
  const unfinished = `${destination}.unfinished`;
  try {
    rmSync(unfinished, { force: true });
    // SQLite copies into an empty file, and keeps its mode.
    closeSync(openSync(unfinished, 'wx', 0o600));
    copy(path, unfinished);
    syncFile(unfinished);
    renameSync(unfinished, destination);
  } catch (cause) {
    rmSync(unfinished, { force: true });
    throw new SessionStoreStartError(
      `The database could not be copied to ${destination}: ${cause instanceof Error ? cause.message : cause}.`,
      'Check that the folder is there, that this user may write to it, and that there is room on the disk.',
      { cause },
    );
  }
  return statSync(destination).size;
}

function copy(path: string, unfinished: string): void {
  const db = openSqliteDatabase(path);
  try {
    db.exec(`VACUUM INTO '${unfinished.replaceAll("'", "''")}'`);
  } finally {
    db.close();
  }
  removeMark(unfinished);
}

/** Removes the number that identifies the file of a running server: a copy with that number could overwrite the file unnoticed. */
function removeMark(copied: string): void {
  const db = new (loadSqlite())(copied);
  try {
    db.exec('PRAGMA user_version = 0');
  } finally {
    db.close();
  }
}

function syncFile(path: string): void {
  const descriptor = openSync(path, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
