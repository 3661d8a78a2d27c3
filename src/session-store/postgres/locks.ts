import { parentsOf } from '../../session/object-key.ts';
import { sql } from '../sql/statement.ts';
import { statement } from './statement.ts';

/** First number of our advisory locks, "pway" in ASCII: all programs that use the database share its locks. The second number is 0 for migrations. */
export const LOCK_CLASS = 0x70_77_61_79;

/**
 * Returns the locks for inserting a session at a key; they are held until the transaction ends. Sessions for `a` and for `a/b` exclude each
 * other even if their owners differ, and two simultaneous inserts do not see each other's rows. So each takes an exclusive lock of its own
 * key and shared locks of the keys above it, always from the top down so that there is no deadlock. A key has at most 64 segments, so
 * there are at most 64 locks.
 */
export function keyLocks(bucket: string, key: string): { names: string[]; shared: boolean[] } {
  const parents = parentsOf(key);
  return {
    names: [...parents, key].map((name) => `${bucket}/${name}`),
    shared: [...parents.map(() => true), false],
  };
}

/** Takes the locks. Names with the same hash wait for each other needlessly, which does no harm. */
export const LOCK_KEYS = statement(
  sql<{ names: readonly string[]; shared: readonly boolean[] }>(`
    SELECT CASE WHEN shared THEN pg_advisory_xact_lock_shared(${LOCK_CLASS}, hashtext(name))::text
      ELSE pg_advisory_xact_lock(${LOCK_CLASS}, hashtext(name))::text END
    FROM unnest(@names::text[], @shared::boolean[]) AS lock (name, shared)`),
);
