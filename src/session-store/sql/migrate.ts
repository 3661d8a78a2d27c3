import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SessionStoreUnavailable } from '../port/session-store.ts';
import { SessionStoreStartError } from '../port/start-error.ts';

/** A step of the schema. Forward-only: one that was released is never edited, the next one corrects it. */
export interface Migration {
  /** From 1, without gaps. */
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

/** What a database's own ledger says was done to it. */
export type AppliedMigration = Pick<Migration, 'number' | 'name'>;

/** Made in the transaction that first needs it, hence outside the numbered files. Both databases understand it. */
export const LEDGER_SQL = `CREATE TABLE IF NOT EXISTS schema_migrations (
  number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)`;

const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;

/** Reads `0001_some_name.sql` and its successors; other files are not looked at. */
export function readMigrations(folder: string): Migration[] {
  const migrations = readdirSync(folder)
    .sort()
    .flatMap((file) => readMigration(folder, file) ?? []);
  for (const [index, { number, name }] of migrations.entries()) {
    if (number === index + 1) continue;
    throw new SessionStoreStartError(
      `The migration files in ${folder} are incomplete: number ${index + 1} should come where "${name}" has number ${number}.`,
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
 * The migrations still to be applied, in order.
 * @throws SessionStoreStartError where the history is not a beginning of `known`: guessing on would damage data.
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

/** Why a migration, all of which was one transaction, is not in the database. */
export function migrationFailed({ number, name }: AppliedMigration, cause: unknown): SessionStoreStartError {
  return new SessionStoreStartError(
    `Migration ${number} "${name}" failed, and nothing of it was applied: ${cause instanceof Error ? cause.message : cause}.`,
    'The database is as it was: the version of partway that last used it still works with it.',
    { cause, state: cause instanceof SessionStoreUnavailable ? cause.reason : undefined },
  );
}
