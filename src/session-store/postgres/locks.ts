import { parentsOf } from '../../session/object-key.ts';
import { statement } from './statement.ts';

/** The first number of all our advisory locks, which a database's programs share: "pway" in ASCII. The second is 0 for migrations. */
export const LOCK_CLASS = 0x70_77_61_79;

/**
 * Held until the transaction ends. Sessions of `a` and of `a/b` exclude each other whoever owns them, and two that are just being
 * inserted do not see each other: each locks its own key alone, and the keys above it together with its neighbours. Always from the top
 * down, so nobody waits in a circle. A key has at most 64 segments, so this is as many locks at most.
 */
export function keyLocks(bucket: string, key: string): { names: string[]; shared: boolean[] } {
  const parents = parentsOf(key);
  return {
    names: [...parents, key].map((name) => `${bucket}/${name}`),
    shared: [...parents.map(() => true), false],
  };
}

/** Different names of the same hash wait for each other without need, and that is all. */
export const LOCK_KEYS = statement<{ names: readonly string[]; shared: readonly boolean[] }>(`
  SELECT CASE WHEN shared THEN pg_advisory_xact_lock_shared(${LOCK_CLASS}, hashtext(name))::text
    ELSE pg_advisory_xact_lock(${LOCK_CLASS}, hashtext(name))::text END
  FROM unnest(@names::text[], @shared::boolean[]) AS lock (name, shared)`);
