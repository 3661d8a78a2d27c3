import type { Session } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { session as readSession } from '../control-plane/answers/session.ts';
import { valid } from '../control-plane/answers/valid.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import type { UploadControl } from '../flow/upload-control.ts';
import type { RunTotals, UploadEvent, UploadResult } from '../progress/events.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { proveObject } from '../source/proof.ts';
import type { VerifyResume } from '../source/verify-resume.ts';
import { Replanned } from './round-end.ts';
import { checkedAnswer, ended, interrupted, nothingSent, resultOf } from './upload-result.ts';
import { UploadRun } from './upload-run.ts';

export interface RunUploadOptions {
  readonly controlPlane: ControlPlane;
  /** Of any status; a completed one is compared with the source and nothing is sent. */
  readonly session: Session;
  readonly source: ByteSource;
  /** Most parts in flight, 1 to 16. Multipart adapts below it. */
  readonly concurrency?: number | undefined;
  /**
   * CRC32 (base64) by part number, of parts of exactly this source that the caller read before. They are not read again, unless
   * the source has no change time or other times than when it was opened.
   */
  readonly knownChecksums?: ReadonlyMap<number, string> | undefined;
  /**
   * How much of what an earlier run stored is read again, to prove that it belongs to this source; `full` where left out. Parts in
   * `knownChecksums` are compared in any case. With `sample` (see `partsToRead`) and `none` the result may say `proof: 'partial'`.
   */
  readonly verifyResume?: VerifyResume | undefined;
  /** Give up after this long without any answer; 24 h where left out. */
  readonly maxOutageMs?: number | undefined;
  /** Cut a part when its socket takes no byte for this long; 45 s where left out. */
  readonly stallMs?: number | undefined;
  /** Pauses, continues and limits the run while it goes on. Not paused and without a limit where left out. */
  readonly control?: UploadControl | undefined;
  /** Interrupts: nothing new begins, parts under way have `drainMs` to finish. Nothing is aborted remotely. */
  readonly signal?: AbortSignal | undefined;
  /** 5 s where left out. */
  readonly drainMs?: number | undefined;
  readonly onEvent?: ((event: UploadEvent) => void) | undefined;
}

/**
 * Takes a session to `completed`: sends what the store lacks, proves what it holds, completes, and goes on through outages.
 * @throws UploadError; `INTERRUPTED` where the signal ended it. Whatever is thrown, stored parts stay stored.
 */
export async function runUpload(options: RunUploadOptions): Promise<UploadResult> {
  const { source, onEvent = () => {} } = options;
  // The caller may have it from anywhere, and its id becomes paths of URLs, its plan loops.
  const session = valid(() => readSession(options.session, ''));
  if (source.size !== session.size) throw otherSize(source, session);
  onEvent({ type: 'session', session });
  if (source.identity.ctimeNs === undefined) onEvent({ type: 'rereading', reason: 'no-change-time' });
  if (session.status === 'completed') return proveCompleted(options);
  if (session.status === 'aborting' || session.status === 'aborted' || session.status === 'expired') throw ended(session);
  return runWithPlans(options);
}

/** A run has one plan. Where the parts turn out to be too large for the way to the store, the next one goes on with smaller ones. */
async function runWithPlans(options: RunUploadOptions): Promise<UploadResult> {
  let current = options;
  let before: RunTotals | undefined;
  for (;;) {
    const run = new UploadRun(current, before);
    try {
      return await run.toCompletion();
    } catch (error) {
      if (!(error instanceof Replanned)) throw error;
      before = run.totals;
      // Checksums of parts that were cut differently.
      current = { ...options, session: error.session, knownChecksums: undefined };
      options.onEvent?.({ type: 'replanned', session: error.session, reason: error.message });
    } finally {
      await run.close();
    }
  }
}

/** Nothing is sent: the object's checksum must be this source's, where anything is read. */
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
