import type * as wire from '../../contract/wire.ts';
import { formatInstant } from '../format/durations.ts';
import { shellQuote } from '../format/shell-quote.ts';
import { formatShare, percentOf } from '../format/sizes.ts';
import type { Subject } from './failure.ts';

/** Renders the last line after Ctrl-C: how much is stored, and exactly what to type. */
export function interruptionLine(subject: Subject, platform: NodeJS.Platform): string {
  const { session, sessionId = session?.sessionId, path } = subject;
  if (sessionId === undefined) return 'Interrupted: nothing was sent yet. Run the same command again to go on.';
  const resume = `Resume: partway resume ${sessionId}${path === undefined ? '' : ` ${shellQuote(path, platform)}`}`;
  const parts = [`Interrupted: ${storedSoFar(session)}.`, resume, `Discard: partway abort ${sessionId}`, keptUntil(session)];
  return parts.filter((part) => part !== undefined).join('   ');
}

function storedSoFar(session: wire.Session | undefined): string {
  if (session === undefined) return 'what was stored stays stored';
  const { storedBytes, size } = session;
  return `${formatShare(storedBytes, size)} stored (${percentOf(storedBytes, size)} %)`;
}

/** The session's expiry or the store's, whichever comes first: afterwards, parts may be gone. */
export function keptUntilInstant(session: Pick<wire.Session, 'expiresAt' | 'partsKeptUntil'>): Date | undefined {
  const instants = [session.expiresAt, session.partsKeptUntil]
    .filter((instant) => instant !== null)
    .map((instant) => Date.parse(instant));
  return instants.length === 0 ? undefined : new Date(Math.min(...instants));
}

function keptUntil(session: wire.Session | undefined): string | undefined {
  const instant = session && keptUntilInstant(session);
  return instant && `Kept until ${formatInstant(instant)}`;
}
