import type * as wire from '../../contract/wire.ts';
import { UsageError } from '../input/usage-error.ts';
import type { JournalEntry } from './journal-entry.ts';

/** Where this machine last had the session's file. @throws UsageError saying what to type where it does not remember. */
export function rememberedPath(
  entry: JournalEntry | undefined,
  { sessionId, fileName }: wire.Session,
  command: 'resume' | 'verify',
): string {
  if (entry !== undefined) return entry.path;
  throw new UsageError(
    `This machine does not remember the file of session ${sessionId} ("${fileName}").`,
    `Say where it is:  partway ${command} ${sessionId} FILE`,
  );
}
