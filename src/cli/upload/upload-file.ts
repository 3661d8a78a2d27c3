import type { ControlPlane } from '../../client/control-plane/control-plane.ts';
import type { UploadControl } from '../../client/flow/upload-control.ts';
import type { EngineEvent, UploadResult } from '../../client/progress/events.ts';
import type { ByteSource } from '../../client/source/byte-source.ts';
import type { VerifyResume } from '../../client/source/verify-resume.ts';
import type * as wire from '../../contract/wire.ts';
import { type ErrorCode, isUploadError } from '../../session/errors.ts';
import { MiB } from '../../session/part-plan.ts';
import { refuseWherePaused } from '../control/control-client.ts';
import type { ListenForControl } from '../control/control-listener.ts';
import { Failure } from '../errors/failure.ts';
import { interruptionLine } from '../errors/interruption-line.ts';
import type { Journal } from '../journal/journal.ts';
import { knownChecksums, type RunOutcome, withRunStarted } from '../journal/journal-entry.ts';
import { JournalRecorder } from '../journal/journal-recorder.ts';
import { watchDeadline } from '../progress/deadline-warning.ts';
import type { Reporter, StrategyReport } from '../progress/reporter.ts';
import type { CliContext } from '../terminal/context.ts';
import type { Interruption } from './interruption.ts';

export interface UploadFileOptions {
  readonly context: CliContext;
  readonly controlPlane: ControlPlane;
  readonly reporter: Reporter;
  readonly journal: Journal;
  readonly interruption: Interruption;
  readonly concurrency: number | undefined;
  readonly maxOutageMs: number | undefined;
  /** Told while the server is waited for, before a file has begun. */
  readonly onWaiting: (event: EngineEvent) => void;
  readonly verifyResume: VerifyResume | undefined;
  /** Of all files of the command: a pause or a limit outlasts the file that is being sent. */
  readonly control: UploadControl;
  readonly listenForControl: ListenForControl;
}

export interface FileToUpload {
  readonly source: ByteSource;
  /** Absolute. */
  readonly path: string;
  readonly session: wire.Session;
  readonly created: boolean;
  readonly strategy?: StrategyReport;
}

/** Fewer are swallowed by buffers on the way, and say nothing of the link's speed. */
const TELLING_BYTES = 16 * MiB;

/** Continues a session with its file to the end, telling the reporter and the journal. Errors are about the session. */
export async function uploadFile(file: FileToUpload, options: UploadFileOptions): Promise<UploadResult> {
  const { session, path, source } = file;
  const { reporter, interruption } = options;
  await refuseWherePaused(options.context, session.sessionId);
  const { recorder, known } = await beginRecord(file, options);
  let { storedBytes } = session;
  const subjectNow = () => ({ sessionId: session.sessionId, session: { ...session, storedBytes }, path });
  const stopListening = await options.listenForControl(session);
  interruption.lastWords = () => {
    stopListening();
    reporter.end();
    return interruptionLine(subjectNow(), options.context.platform);
  };
  interruption.onFirst = (message) => reporter.note(message);
  reporter.begin({ name: source.name, session, created: file.created });
  if (file.strategy !== undefined) reporter.strategy(file.strategy);
  const checkDeadline = watchDeadline(session, options.context.now, (message) => reporter.warn(message));
  const onEvent = (event: EngineEvent) => {
    if (event.type === 'progress') {
      storedBytes = event.storedBytes;
      if (storedBytes - session.storedBytes >= TELLING_BYTES) recorder.measured(event.averageBytesPerSecond);
    }
    if (event.type === 'replanned') recorder.replanned(event.session.partSize);
    if (event.type === 'part') recorder.partStored(event.partNumber, event.checksum);
    reporter.event(event);
    checkDeadline(event);
  };
  try {
    const result = await continueSession(file, options, onEvent, known);
    await recorder.end('completed');
    reporter.done(result, source.name);
    return result;
  } catch (error) {
    await recorder.end(interruption.signal.aborted ? 'interrupted' : outcomeOf(error));
    throw new Failure(error, subjectNow());
  } finally {
    stopListening();
    reporter.end();
  }
}

async function continueSession(
  { session, source }: FileToUpload,
  { controlPlane, concurrency, maxOutageMs, control, verifyResume, interruption }: UploadFileOptions,
  onEvent: (event: EngineEvent) => void,
  checksums: ReadonlyMap<number, string>,
): Promise<UploadResult> {
  const { runUpload } = await import('../../client/index.ts');
  return runUpload({
    controlPlane,
    session,
    source,
    knownChecksums: checksums,
    signal: interruption.signal,
    onEvent,
    concurrency,
    maxOutageMs,
    control,
    verifyResume,
  });
}

async function beginRecord({ session, source, path }: FileToUpload, { journal, controlPlane, context }: UploadFileOptions) {
  const { sessionId, partSize } = session;
  const before = await journal.read(sessionId);
  const known = knownChecksums(before, source.identity, partSize);
  const entry = withRunStarted(
    {
      version: 1,
      server: controlPlane.server,
      sessionId,
      path,
      ...source.identity,
      partSize,
      checksums: Object.fromEntries(known),
      runs: before?.runs ?? [],
    },
    { startedAt: new Date(context.now()).toISOString(), pid: context.pid },
  );
  const recorder = new JournalRecorder(journal, entry, context.now);
  await recorder.begun();
  return { recorder, known };
}

const STALLS: readonly ErrorCode[] = ['OUTAGE_TOO_LONG', 'PART_FAILED', 'SERVER_UNREACHABLE', 'STORE_UNAVAILABLE'];

function outcomeOf(error: unknown): RunOutcome {
  return isUploadError(error, ...STALLS) ? 'stalled' : 'failed';
}
