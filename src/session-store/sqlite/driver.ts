import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { SessionStoreStartError } from '../port/start-error.ts';
import { cannotBeOpened } from './errors.ts';

/** The part of better-sqlite3 that this room uses; both packages have it. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare<Parameters extends unknown[] | object, Row = unknown>(
    sql: string,
  ): SqliteStatement<Parameters extends unknown[] ? Parameters : [Parameters], Row>;
  transaction<Result>(work: () => Result): { immediate(): Result };
  close(): unknown;
}

export interface SqliteStatement<Parameters extends unknown[], Row> {
  readonly source: string;
  run(...parameters: Parameters): { changes: number };
  get(...parameters: Parameters): Row | undefined;
  all(...parameters: Parameters): Row[];
  /** The connection is busy until the iteration ends. */
  iterate(...parameters: Parameters): IterableIterator<Row>;
}

type SqliteDriver = new (file: string) => SqliteDatabase;
const BUSY_TIMEOUT_MS = 5_000;
export const IN_MEMORY = ':memory:';

/**
 * Chooses one of the two installed packages, because no release of better-sqlite3 runs on Node 20 and on all later versions. The newer
 * one needs Node-API 10; below that it crashes the process with a segmentation fault, so it must not even be tried there.
 */
export function sqlitePackage(nodeApiVersion: string | undefined): string {
  return Number(nodeApiVersion) >= 10 ? 'better-sqlite3-napi' : 'better-sqlite3';
}

/** Loads the driver, only when a database is opened: `upload` and `resume` work without it. */
export function loadSqlite(load: (name: string) => unknown = createRequire(import.meta.url)): SqliteDriver {
  const name = sqlitePackage(process.versions.napi);
  try {
    const driver = load(name) as SqliteDriver;
    // The native binary, which is the most likely part to be missing, is loaded only with the first database.
    new driver(IN_MEMORY).close();
    return driver;
  } catch (cause) {
    throw new SessionStoreStartError(
      `SQLite could not be loaded: the package ${name} or its native binary is not installed.`,
      'Only `partway serve` needs it; the other commands work without it. Install Python 3, make and a C++ compiler ' +
        '(Debian, Ubuntu: apt install python3 make g++; macOS: xcode-select --install), then install partway again, ' +
        'with optional dependencies and install scripts allowed (npm 12: --allow-scripts=better-sqlite3).',
      { cause },
    );
  }
}

/** Opens the database file, or creates an empty one. `:memory:` is a database that lives as long as its handle. */
export function openSqliteDatabase(file: string, busyTimeoutMs = BUSY_TIMEOUT_MS): SqliteDatabase {
  const driver = loadSqlite();
  try {
    if (file !== IN_MEMORY) createPrivateFile(file);
    const db = new driver(file);
    setBusyTimeout(db, busyTimeoutMs);
    configure(db);
    return db;
  } catch (cause) {
    throw cannotBeOpened(file, cause);
  }
}

/**
 * Creates a file that only this user can read, because file names and object keys are private. SQLite gives its -wal and -shm files the
 * same mode. An existing file keeps its mode and is not opened: closing it here would drop the locks that SQLite holds on it.
 */
export function createPrivateFile(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** A commit that has returned is on disk. */
const SYNCED = 'PRAGMA synchronous = FULL';
/** The usual mode with a WAL: only a power cut may undo the last commits. The next synced commit makes them durable, too. */
const NOT_SYNCED = 'PRAGMA synchronous = NORMAL';

/** Runs `work`, which commits, without waiting for the disk. A sync takes milliseconds even on a fast disk, and all requests wait for it. */
export function withoutSync<Result>(db: SqliteDatabase, work: () => Result): Result {
  db.exec(NOT_SYNCED);
  try {
    return work();
  } finally {
    db.exec(SYNCED);
  }
}

/** Sets how long a call waits for a lock. The default is enough for another program (a backup, a sqlite3 shell) to release it. */
export function setBusyTimeout(db: SqliteDatabase, ms = BUSY_TIMEOUT_MS): void {
  db.exec(`PRAGMA busy_timeout = ${ms}`);
}

function configure(db: SqliteDatabase): void {
  // In WAL mode readers and the writer do not wait for each other.
  db.exec('PRAGMA journal_mode = WAL');
  // On macOS only fullfsync reaches the disk itself.
  db.exec(SYNCED);
  db.exec('PRAGMA fullfsync = ON');
  db.exec('PRAGMA foreign_keys = ON');
}
