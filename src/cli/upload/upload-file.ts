import { runUpload } from '../../client/index.ts';
import type { EngineEvent, UploadResult } from '../../client/progress/events.ts';
import type { ByteSource } from '../../client/source/byte-source.ts';
import { type ErrorCode, isUploadError } from '../../session/errors.ts';
import { MiB } from '../../session/part-plan.ts';
import { refuseWherePaused } from '../control/control-client.ts';
import { interruptionLine } from '../errors/interruption-line.ts';
import { knownChecksums, type RunOutcome, withRunStarted } from '../journal/journal-entry.ts';
import { JournalRecorder } from '../journal/journal-recorder.ts';
import { watchDeadline } from '../progress/deadline-warning.ts';
import type { StrategyReport } from '../progress/reporter.ts';
import { stoppingWords } from '../progress/stopping-words.ts';
import { updateView, viewOf } from '../progress/upload-view.ts';
import type { KnownSubject } from './attempt.ts';
import { BETWEEN_FILES } from './interruption.ts';
import type { OpenedSession } from './open-session.ts';
import type { UploadSetup } from './upload-setup.ts';

export interface FileToUpload extends OpenedSession {
  readonly source: ByteSource;
  /** Absolute. */
  readonly path: string;
  readonly strategy?: StrategyReport;
}

/** Buffers on the way swallow fewer bytes at once, so that their speed says nothing of the link's. */
const TELLING_BYTES = 16 * MiB;

/** Continues a session with its file to the end, and keeps reporter, journal and subject informed. */
export async function uploadFile(file: FileToUpload, subject: KnownSubject, setup: UploadSetup): Promise<UploadResult> {
  const { session, path, source } = file;
  const { context, reporter, interruption } = setup;
  subject.learn({ path });
  await refuseWherePaused(context, session.sessionId);
  const { recorder, known } = await beginRecord(file, setup);
  const stopListening = await setup.listenForControl(session);
  let view = viewOf(session);
  interruption.words = {
    first: () => stoppingWords(view),
    last: () => {
      stopListening();
      reporter.end();
      return interruptionLine(subject.now, context.platform);
    },
  };
  reporter.begin({ name: source.name, session, created: file.created });
  if (file.strategy !== undefined) reporter.strategy(file.strategy);
  const checkDeadline = watchDeadline(session, context.now, (message) => reporter.warn(message));
  const onEvent = (event: EngineEvent) => {
    view = updateView(view, event, context.now());
    if (event.type === 'progress') {
      const { storedBytes } = event;
      subject.learn({ session: { ...session, storedBytes } });
      if (storedBytes - session.storedBytes >= TELLING_BYTES) recorder.measured(event.averageBytesPerSecond);
    }
    if (event.type === 'replanned') recorder.replanned(event.session.partSize);
    if (event.type === 'part') recorder.partStored(event.partNumber, event.checksum);
    reporter.event(event);
    checkDeadline(event);
  };
  try {
    const result = await continueSession(file, setup, onEvent, known);
    await recorder.end('completed');
    reporter.done(result, source.name);
    return result;
  } catch (error) {
    await recorder.end(interruption.signal.aborted ? 'interrupted' : outcomeOf(error));
    throw error;
  } finally {
    interruption.words = BETWEEN_FILES;
    stopListening();
    reporter.end();
  }
}

async function continueSession(
  { session, source }: FileToUpload,
  { controlPlane, concurrency, maxOutageMs, control, verifyResume, interruption }: UploadSetup,
  onEvent: (event: EngineEvent) => void,
  checksums: ReadonlyMap<number, string>,
): Promise<UploadResult> {
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

async function beginRecord({ session, entry, source, path }: FileToUpload, { journal, controlPlane, context }: UploadSetup) {
  const { sessionId, partSize } = session;
  const known = knownChecksums(entry, source.identity, partSize);
  const begun = withRunStarted(
    {
      version: 1,
      server: controlPlane.server,
      sessionId,
      path,
      ...source.identity,
      partSize,
      checksums: Object.fromEntries(known),
      runs: entry?.runs ?? [],
    },
    { startedAt: new Date(context.now()).toISOString(), pid: context.pid },
  );
  const recorder = new JournalRecorder(journal, begun, context.now);
  await recorder.begun();
  return { recorder, known };
}

const STALLS: readonly ErrorCode[] = ['OUTAGE_TOO_LONG', 'PART_FAILED', 'SERVER_UNREACHABLE', 'STORE_UNAVAILABLE'];

function outcomeOf(error: unknown): RunOutcome {
  return isUploadError(error, ...STALLS) ? 'stalled' : 'failed';
}
