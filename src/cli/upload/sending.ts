import { isAbsolute, join, resolve } from 'node:path';
import { createUploadControl } from '../../client/flow/upload-control.ts';
import type { UploadEvent } from '../../client/progress/events.ts';
import type { VerifyResume } from '../../client/source/verify-resume.ts';
import { userFolder } from '../../installation/user-folders.ts';
import { type ErrorCode, isUploadError, UploadError } from '../../session/errors.ts';
import { createControlListener } from '../control/control-listener.ts';
import { debugTrace, explainError } from '../errors/error-text.ts';
import { EXIT, type ExitCode, exitCodeOfSignal } from '../errors/exit-codes.ts';
import { about, type Subject, unwrapFailure } from '../errors/failure.ts';
import type { FlagReader } from '../input/flag-reader.ts';
import { UsageError } from '../input/usage-error.ts';
import { Journal } from '../journal/journal.ts';
import { createReporter } from '../progress/create-reporter.ts';
import type { CliContext } from '../terminal/context.ts';
import { connect } from './connect.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';
import type { UploadFileOptions } from './upload-file.ts';

export interface SendingFlags {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly concurrency?: string | undefined;
  readonly 'max-outage'?: string | undefined;
  readonly limit?: string | undefined;
  readonly 'verify-resume'?: VerifyResume | undefined;
}

export function journalOf(context: CliContext, warn: (message: string) => void): Journal {
  const state = userFolder('state', context);
  if (state === undefined)
    warn(
      'there is no home directory (HOME is not set), so this machine will not remember the upload; XDG_STATE_HOME may name a folder for it',
    );
  return new Journal({ directory: state === undefined ? undefined : join(state, 'uploads'), warn, now: context.now });
}

/** What `upload` and `resume` share: reads their common flags and the environment, and listens for Ctrl-C meanwhile. */
export async function send(
  context: CliContext,
  flags: SendingFlags,
  reader: FlagReader,
  command: string,
  work: (options: UploadFileOptions) => Promise<ExitCode>,
): Promise<ExitCode> {
  const concurrency = reader.concurrency('concurrency', flags.concurrency);
  const maxOutageMs = reader.durationMs('max-outage', flags['max-outage']);
  const bytesPerSecond = reader.bytesPerSecond('limit', flags.limit);
  reader.check(command);
  const control = createUploadControl({ bytesPerSecond });
  const reporter = createReporter(context, { json: flags.json === true, quiet: flags.quiet === true });
  const controlPlane = connect(context, (message) => reporter.warn(message));
  const journal = journalOf(context, (message) => reporter.warn(message));
  const listenForControl = createControlListener(context, control, (message) => reporter.warn(message));
  const interruption = listenForInterruption(context, (message) => reporter.note(message));
  try {
    await journal.prune();
    const onWaiting = (event: UploadEvent) => reporter.waiting(event, maxOutageMs);
    const wishes = { concurrency, maxOutageMs, verifyResume: flags['verify-resume'] };
    return await work({
      context,
      controlPlane,
      reporter,
      journal,
      interruption,
      control,
      listenForControl,
      onWaiting,
      ...wishes,
    });
  } finally {
    reporter.end();
    interruption.dispose();
  }
}

export interface Attempt {
  readonly exitCode: ExitCode;
  /** Undefined when it succeeded. */
  readonly error?: unknown;
}

/** Runs the work on one file and tells how it failed, if it did; the next file may still go well. */
export async function attempt(
  { context, reporter, interruption }: UploadFileOptions,
  subject: Subject,
  work: () => Promise<unknown>,
): Promise<Attempt> {
  try {
    await about(subject, work);
    return { exitCode: EXIT.ok };
  } catch (thrown) {
    const { error, subject: of } = unwrapFailure(thrown);
    const failure = asInterruption(error, interruption);
    const explained = explainError(failure, of, context);
    reporter.fail(explained, of.sessionId);
    context.stderr.write(debugTrace(failure, context));
    const { received } = interruption;
    const wasStopped = isUploadError(failure, 'INTERRUPTED') && received !== undefined;
    return { exitCode: wasStopped ? exitCodeOfSignal(received) : explained.exitCode, error: failure };
  }
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

export function absolutePath(context: CliContext, path: string): string {
  if (isAbsolute(path)) return path;
  if (context.workingDirectory !== undefined) return resolve(context.workingDirectory, path);
  throw new UsageError(
    `The working directory was deleted, so "${path}" leads nowhere.`,
    'Change to a folder that exists, or give the whole path.',
  );
}
