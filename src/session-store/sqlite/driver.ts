import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { SessionStoreStartError } from '../port/start-error.ts';
import { cannotBeOpened } from './errors.ts';

/** The subset of better-sqlite3 that is used here; both packages have it. */
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
  /** The connection does nothing else until the end, or until it is left. */
  iterate(...parameters: Parameters): IterableIterator<Row>;
}

type SqliteDriver = new (file: string) => SqliteDatabase;
const BUSY_TIMEOUT_MS = 5_000;
export const IN_MEMORY = ':memory:';

/**
 * No release of better-sqlite3 runs on Node 20 and on all later ones, so two are installed. The newer one needs
 * Node-API 10 and takes the process down with a segmentation fault below that: it must not even be tried there.
 */
export function sqlitePackage(nodeApiVersion: string | undefined): string {
  return Number(nodeApiVersion) >= 10 ? 'better-sqlite3-napi' : 'better-sqlite3';
}

/** Loads the driver when a database is opened and not before: `upload` and `resume` work where it is not installed. */
export function loadSqlite(load: (name: string) => unknown = createRequire(import.meta.url)): SqliteDriver {
  const name = sqlitePackage(process.versions.napi);
  try {
    const driver = load(name) as SqliteDriver;
    // The native binary is loaded with the first database only, and it is what most often is missing.
    new driver(IN_MEMORY).close();
    return driver;
  } catch (cause) {
    throw new SessionStoreStartError(
      `SQLite could not be loaded: the package ${name} or its native binary is not installed.`,
      'Only `partway serve` needs it; the other commands work without. Install Python 3, make and a C++ compiler ' +
        '(Debian, Ubuntu: apt install python3 make g++; macOS: xcode-select --install), then install partway again, ' +
        'with optional dependencies and install scripts allowed (npm 12: --allow-scripts=better-sqlite3).',
      { cause },
    );
  }
}

/** Opens or creates the database file; nothing is in it yet. `:memory:` is a database that lives as long as its handle. */
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
 * File names and object keys are nobody else's business. SQLite gives its -wal and -shm files the mode of this one.
 * A file that exists keeps its mode, and is not opened: closing it here would drop the locks that SQLite holds on it.
 */
export function createPrivateFile(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** What was resolved is on disk. */
const SYNCED = 'PRAGMA synchronous = FULL';
/** WAL's usual: a power cut, and nothing less, may undo the last commits; the next one that is synced takes them along. */
const NOT_SYNCED = 'PRAGMA synchronous = NORMAL';

/** Runs `work`, which commits, without waiting for the disk: some milliseconds on a fast one, during which everybody waits. */
export function withoutSync<Result>(db: SqliteDatabase, work: () => Result): Result {
  db.exec(NOT_SYNCED);
  try {
    return work();
  } finally {
    db.exec(SYNCED);
  }
}

/** How long a call waits for a lock, by default as long as it takes another program (a backup, a sqlite3 shell) to let go of it. */
export function setBusyTimeout(db: SqliteDatabase, ms = BUSY_TIMEOUT_MS): void {
  db.exec(`PRAGMA busy_timeout = ${ms}`);
}

function configure(db: SqliteDatabase): void {
  // Readers do not wait for the writer, nor the writer for them.
  db.exec('PRAGMA journal_mode = WAL');
  // fullfsync is macOS's word for a sync that reaches the disk itself.
  db.exec(SYNCED);
  db.exec('PRAGMA fullfsync = ON');
  db.exec('PRAGMA foreign_keys = ON');
}
