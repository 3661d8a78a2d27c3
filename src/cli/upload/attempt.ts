import { type ErrorCode, isUploadError, UploadError } from '../../session/errors.ts';
import { debugTrace, explainError } from '../errors/error-text.ts';
import { EXIT, type ExitCode, exitCodeOfSignal } from '../errors/exit-codes.ts';
import type { Subject } from '../errors/failure.ts';
import type { Interruption } from './interruption.ts';
import type { UploadSetup } from './upload-setup.ts';

/** The file and session that a command works on, as far as they are known. A failure is explained for the subject at that time. */
export interface KnownSubject {
  readonly now: Subject;
  learn(more: Subject): void;
}

export interface Attempt {
  readonly exitCode: ExitCode;
  /** Undefined when it succeeded. */
  readonly error?: unknown;
}

/** Runs the work on one file and tells how it failed, if it did; the next file may still go well. */
export async function attempt(
  { context, reporter, interruption }: UploadSetup,
  typed: Subject,
  work: (subject: KnownSubject) => Promise<unknown>,
): Promise<Attempt> {
  const subject = startSubject(typed);
  try {
    await work(subject);
    return { exitCode: EXIT.ok };
  } catch (thrown) {
    const error = asInterruption(thrown, interruption);
    const explained = explainError(error, subject.now, context);
    reporter.fail(explained, subject.now.sessionId);
    context.stderr.write(debugTrace(error, context));
    const { received } = interruption;
    const wasStopped = isUploadError(error, 'INTERRUPTED') && received !== undefined;
    return { exitCode: wasStopped ? exitCodeOfSignal(received) : explained.exitCode, error };
  }
}

function startSubject(typed: Subject): KnownSubject {
  let now = typed;
  return {
    get now() {
      return now;
    },
    learn(more) {
      now = { ...now, ...more };
    },
  };
}

/** Whatever broke because the signal came is the interruption; a refusal that came before it is not. */
function asInterruption(error: unknown, { signal }: Interruption): unknown {
  if (!signal.aborted || error instanceof UploadError) return error;
  return new UploadError('INTERRUPTED', 'The command was interrupted.', { cause: error });
}

/** Every further file would meet these as well. */
const ENDS_EVERYTHING: readonly ErrorCode[] = [
  'UNAUTHORIZED',
  'SERVER_UNREACHABLE',
  'CERTIFICATE_NOT_TRUSTED',
  'PROXY_NOT_USABLE',
  'OUTAGE_TOO_LONG',
  'BUCKET_NOT_FOUND',
  'STORE_FULL',
  'STORE_REFUSED',
  'STORE_UNSUITABLE',
  'STORE_UNAVAILABLE',
  'INTERRUPTED',
];

export function endsEverything({ error }: Attempt): boolean {
  return isUploadError(error, ...ENDS_EVERYTHING);
}
