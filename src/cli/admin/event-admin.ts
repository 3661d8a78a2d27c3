import type { createEventAdmin } from '../../server/admin/events.ts';
import type { CliContext } from '../terminal/context.ts';
import { explainingDatabase } from './database-failure.ts';

type EventAdmin = ReturnType<typeof createEventAdmin>;

export const EVENT_ENVIRONMENT = [['PARTWAY_DATABASE_URL', "The server's database, as `partway serve` has it"]] as const;

/** Works on the database that a server on this machine uses, whether it runs or not, and closes it. */
export async function withEventAdmin<T>(context: CliContext, work: (admin: EventAdmin) => Promise<T>): Promise<T> {
  const { openEventAdmin } = await import('../../server/admin/events.ts');
  const { admin, close } = await explainingDatabase(() => openEventAdmin(context.env, context.now));
  try {
    return await explainingDatabase(() => work(admin));
  } finally {
    await close();
  }
}
