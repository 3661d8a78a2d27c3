import type * as wire from '../../contract/wire.ts';
import { UsageError } from '../input/usage-error.ts';
import type { Journal } from './journal.ts';

/** Where this machine last had the session's file. @throws UsageError saying what to type where it does not remember. */
export async function rememberedPath(journal: Journal, session: wire.Session, command: 'resume' | 'verify'): Promise<string> {
  const entry = await journal.read(session.sessionId);
  if (entry !== undefined) return entry.path;
  throw new UsageError(
    `This machine does not remember the file of session ${session.sessionId} ("${session.fileName}").`,
    `Say where it is:  partway ${command} ${session.sessionId} FILE`,
  );
}
