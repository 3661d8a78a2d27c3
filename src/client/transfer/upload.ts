import type { Session } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { session as readSession } from '../control-plane/answers/session.ts';
import { valid } from '../control-plane/answers/valid.ts';
import type { RunTotals, UploadResult } from '../progress/events.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { proveObject } from '../source/proof.ts';
import { createRun } from './create-run.ts';
import { Replanned } from './round-end.ts';
import type { RunUploadOptions } from './run-options.ts';
import { checkedAnswer, interrupted, nothingSent, remainingWork, resultOf } from './upload-result.ts';

/**
 * Takes a session to `completed`: sends what the store lacks, proves what it holds, completes, and goes on through outages.
 * @throws UploadError; `INTERRUPTED` where the signal ended it. Whatever is thrown, stored parts stay stored.
 */
export async function runUpload(options: RunUploadOptions): Promise<UploadResult> {
  const { source, onEvent = () => {} } = options;
  // Wherever the caller has it from: its id becomes paths of URLs, its plan loops.
  const session = valid(() => readSession(options.session, ''));
  if (source.size !== session.size) throw otherSize(source, session);
  onEvent({ type: 'session', session });
  if (source.identity.ctimeNs === undefined) onEvent({ type: 'rereading', reason: 'no-change-time' });
  return remainingWork(session) === 'compare' ? proveCompleted(options) : runWithPlans(options);
}

/** A run has one plan. Where its parts are too large for the way to the store, the next run goes on with smaller ones. */
async function runWithPlans(options: RunUploadOptions): Promise<UploadResult> {
  let current = options;
  let before: RunTotals | undefined;
  for (;;) {
    const run = createRun(current, before);
    try {
      return await run.toCompletion();
    } catch (error) {
      if (!(error instanceof Replanned)) throw error;
      before = run.totals;
      // The known checksums are of parts that were cut differently.
      current = { ...options, session: error.session, knownChecksums: undefined };
      options.onEvent?.({ type: 'replanned', session: error.session, reason: error.message });
    } finally {
      await run.close();
    }
  }
}

/** Compares the object with the source and sends nothing: the object's checksum must be the source's, where anything is read. */
async function proveCompleted(options: RunUploadOptions): Promise<UploadResult> {
  const { source, verifyResume = 'full', signal = new AbortController().signal, onEvent = () => {} } = options;
  const session = checkedAnswer(options.session, { session: options.session });
  const known = options.knownChecksums ?? new Map();
  const startedAt = performance.now();
  try {
    const unproven = await proveObject({ source, session, verifyResume, known, knownOf: source.identity, signal, onEvent });
    return resultOf(session, nothingSent((performance.now() - startedAt) / 1_000), unproven);
  } catch (error) {
    throw signal.aborted && !(error instanceof UploadError) ? interrupted(session, session.size) : error;
  }
}

function otherSize(source: ByteSource, session: Session): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} has ${source.size} bytes; the session ${session.sessionId} is for a file of ${session.size}.`,
    {
      hint: 'Resume with the file that the upload began with, or abort the session.',
    },
  );
}
