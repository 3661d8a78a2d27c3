import type { ControlPlane } from '../../client/control-plane/control-plane.ts';
import { createUploadControl, type UploadControl } from '../../client/flow/upload-control.ts';
import type { EngineEvent } from '../../client/progress/events.ts';
import type { VerifyResume } from '../../client/source/verify-resume.ts';
import { createControlListener, type ListenForControl } from '../control/control-listener.ts';
import type { ExitCode } from '../errors/exit-codes.ts';
import type { FlagReader } from '../input/flag-reader.ts';
import type { Journal } from '../journal/journal.ts';
import { openJournal } from '../journal/open-journal.ts';
import { createReporter } from '../progress/create-reporter.ts';
import type { Reporter } from '../progress/reporter.ts';
import type { CliContext } from '../terminal/context.ts';
import { connect } from './connect.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';

export interface CommonFlags {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly concurrency?: string | undefined;
  readonly 'max-outage'?: string | undefined;
  readonly limit?: string | undefined;
  readonly 'verify-resume'?: VerifyResume | undefined;
}

/** Everything that `upload` and `resume` share, for all files of the command. */
export interface UploadSetup {
  readonly context: CliContext;
  readonly controlPlane: ControlPlane;
  readonly reporter: Reporter;
  readonly journal: Journal;
  readonly interruption: Interruption;
  readonly concurrency: number | undefined;
  readonly maxOutageMs: number | undefined;
  /** Receives the events of waiting for the server, before a file has begun. */
  readonly onWaiting: (event: EngineEvent) => void;
  readonly verifyResume: VerifyResume | undefined;
  /** Shared by all files of the command: a pause or a limit outlasts the file that is being sent. */
  readonly control: UploadControl;
  readonly listenForControl: ListenForControl;
}

/** Reads the flags that `upload` and `resume` share, and the environment; runs `work`, and listens for Ctrl-C meanwhile. */
export async function withUploadSetup(
  context: CliContext,
  flags: CommonFlags,
  reader: FlagReader,
  command: 'upload' | 'resume',
  work: (setup: UploadSetup) => Promise<ExitCode>,
): Promise<ExitCode> {
  const concurrency = reader.concurrency('concurrency', flags.concurrency);
  const maxOutageMs = reader.durationMs('max-outage', flags['max-outage']);
  const bytesPerSecond = reader.bytesPerSecond('limit', flags.limit);
  reader.check(command);
  const control = createUploadControl({ bytesPerSecond });
  const reporter = createReporter(context, { json: flags.json === true, quiet: flags.quiet === true });
  const warn = (message: string) => reporter.warn(message);
  const controlPlane = connect(context, warn);
  const journal = openJournal(context, warn);
  const listenForControl = createControlListener(context, control, warn);
  const interruption = listenForInterruption(context, (message) => reporter.note(message));
  try {
    await journal.prune();
    return await work({
      context,
      controlPlane,
      reporter,
      journal,
      interruption,
      concurrency,
      maxOutageMs,
      onWaiting: (event) => reporter.waiting(event, maxOutageMs),
      verifyResume: flags['verify-resume'],
      control,
      listenForControl,
    });
  } finally {
    reporter.end();
    interruption.dispose();
  }
}
