import { join } from 'node:path';
import { userFolder } from '../../installation/user-folders.ts';
import type { CliContext } from '../terminal/context.ts';
import { Journal } from './journal.ts';

/** Opens this machine's journal. Without a place for it, warns, and nothing is remembered. */
export function openJournal(context: CliContext, warn: (message: string) => void): Journal {
  const state = userFolder('state', context);
  if (state === undefined)
    warn(
      'there is no home directory (HOME is not set), so this machine will not remember the upload; XDG_STATE_HOME may name a folder for it',
    );
  return new Journal({ directory: state === undefined ? undefined : join(state, 'uploads'), warn, now: context.now });
}
