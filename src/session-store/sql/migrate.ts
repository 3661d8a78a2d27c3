import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SessionStoreStartError } from '../port/start-error.ts';
import { SessionStoreUnavailable } from '../port/unavailable.ts';

/** A forward-only step of the schema. A released migration is never edited; a later one corrects it. */
export interface Migration {
  /** From 1, without gaps. */
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

/** A row of the database's own ledger. */
export type AppliedMigration = Pick<Migration, 'number' | 'name'>;

/** Creates the ledger, in both databases. Not a numbered file, because the first migration already needs it. */
export const LEDGER_SQL = `CREATE TABLE IF NOT EXISTS schema_migrations (
  number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)`;

const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;

/** Reads `0001_some_name.sql` and its successors; ignores other files. */
export function readMigrations(folder: string): Migration[] {
  const migrations = readdirSync(folder)
    .sort()
    .flatMap((file) => readMigration(folder, file) ?? []);
  for (const [index, { number, name }] of migrations.entries()) {
    if (number === index + 1) continue;
    throw new SessionStoreStartError(
      `The migration files in ${folder} are incomplete: number ${index + 1} is missing before "${name}", number ${number}.`,
      'The installation is damaged: install partway again.',
    );
  }
  return migrations;
}

function readMigration(folder: string, file: string): Migration | undefined {
  const [, digits, name] = FILE_NAME.exec(file) ?? [];
  if (digits === undefined || name === undefined) return undefined;
  return { number: Number(digits), name, sql: readFileSync(path.join(folder, file), 'utf8') };
}

/**
 * Returns the migrations that are still to be applied, in order.
 * @throws SessionStoreStartError if the history does not match the beginning of `known`: going on would damage data.
 */
export function pendingMigrations(applied: readonly AppliedMigration[], known: readonly Migration[]): Migration[] {
  for (const [index, done] of applied.entries()) {
    const expected = known[index];
    if (expected === undefined) throw newerThanThis(applied.length, known.length);
    if (done.number !== expected.number || done.name !== expected.name) throw otherHistory(done, expected);
  }
  return known.slice(applied.length);
}

function newerThanThis(applied: number, known: number): SessionStoreStartError {
  return new SessionStoreStartError(
    `The database has had ${applied} migrations, and this version of partway knows only ${known}.`,
    'A newer partway has used it. Start that version or a later one, or restore a backup from before the update.',
  );
}

function otherHistory(done: AppliedMigration, expected: AppliedMigration): SessionStoreStartError {
  return new SessionStoreStartError(
    `The database's history differs from this version of partway: it has had ${describe(done)} where ${describe(expected)} belongs.`,
    'Another build of partway made it. Use that build, restore a backup, or name another database in PARTWAY_DATABASE_URL.',
  );
}

function describe({ number, name }: AppliedMigration): string {
  return `migration ${number} "${name}"`;
}

/** The error for a migration that failed. It ran in one transaction, so nothing of it is left. */
export function migrationFailed({ number, name }: AppliedMigration, cause: unknown): SessionStoreStartError {
  return new SessionStoreStartError(
    `Migration ${number} "${name}" failed, and nothing of it was applied: ${cause instanceof Error ? cause.message : cause}.`,
    'The database is as it was: the version of partway that last used it still works with it.',
    { cause, state: cause instanceof SessionStoreUnavailable ? cause.reason : undefined },
  );
}
