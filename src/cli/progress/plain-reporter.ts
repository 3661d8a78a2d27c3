import type { EngineEvent } from '../../client/progress/events.ts';
import { formatDuration } from '../format/durations.ts';
import { formatLimit, formatSize, percentOf } from '../format/sizes.ts';
import { arrow } from '../terminal/output-style.ts';
import { outageWordings, phaseWordings } from './phase-text.ts';
import { renderProgressSentence } from './progress-line.ts';
import { QuietReporter } from './quiet-reporter.ts';
import type { BeginningUpload, StrategyReport } from './reporter.ts';
import { outageOf, type UploadView, updateView, viewOf } from './upload-view.ts';

const LINE_EVERY_MS = 10_000;
const PERCENT_STEP = 10;

/** Prints whole lines, for logs and pipes: one every 10 s, one at each 10 %, and one whenever the state changes. */
export class PlainReporter extends QuietReporter {
  protected view: UploadView | undefined;
  #lastLineAt = 0;
  #lastStep = 0;
  readonly #reported = new Set<string>();

  override begin({ name, session, created }: BeginningUpload): void {
    this.view = viewOf(session);
    this.#lastLineAt = this.context.now();
    this.#lastStep = stepOf(this.view);
    this.#reported.clear();
    const { sessionId, bucket, key, size, storedBytes, status } = session;
    this.say(`uploading ${name} (${formatSize(size)}) ${arrow(this.style)} ${bucket}/${key}  session ${sessionId}`);
    if (!created && status !== 'completed') this.say(`resumed: ${formatSize(storedBytes)} already stored`);
  }

  override strategy({ strategy, partCount, partSize, reason }: StrategyReport): void {
    const parts = partCount === 1 ? 'one part' : `${partCount} parts of ${formatSize(partSize)}`;
    this.say(`strategy: ${strategy} (${parts}), because ${reason}`);
  }

  override note(message: string): void {
    this.say(message);
  }

  override event(event: EngineEvent): void {
    super.event(event);
    if (this.view === undefined) return;
    this.view = updateView(this.view, event, this.context.now());
    const change = this.isNews(event) ? describeChange(event, this.context.now()) : undefined;
    if (change !== undefined) this.say(change);
    if (event.type === 'progress') this.onProgress(this.view);
  }

  /** Reports an outage once, not at every try; the same applies to comparisons and to changing times of a file. */
  protected isNews(event: EngineEvent): boolean {
    if (event.type === 'online') this.#reported.delete(event.what);
    if (event.type === 'replanned') this.#reported.clear();
    const subject = repeatedSubject(event);
    if (subject === undefined) return true;
    const isFirst = !this.#reported.has(subject);
    this.#reported.add(subject);
    return isFirst;
  }

  override end(): void {
    this.view = undefined;
  }

  protected onProgress(view: UploadView): void {
    const now = this.context.now();
    const step = stepOf(view);
    // A clock that was set back must not silence it.
    const isDue = Math.abs(now - this.#lastLineAt) >= LINE_EVERY_MS || step > this.#lastStep;
    if (!isDue || view.phase.name !== 'sending') return;
    this.#lastLineAt = now;
    this.#lastStep = step;
    this.say(renderProgressSentence(view, now));
  }
}

/** The subject of an event that comes repeatedly; undefined for other events. */
function repeatedSubject(event: EngineEvent): string | undefined {
  if (event.type === 'offline') return event.what;
  if (event.type === 'rereading') return event.reason;
  return event.type === 'verifying' ? event.type : undefined;
}

function stepOf({ storedBytes, size }: UploadView): number {
  return Math.floor(percentOf(storedBytes, size) / PERCENT_STEP);
}

const REREADING = {
  'no-change-time':
    'the file is read once more and compared: its file system keeps no change time that tells whether a file is as it was',
  'times-changed': "the file's times changed and its size did not: comparing what is stored with it again, the upload goes on",
} as const;

/** The line that an event deserves in a log; undefined for most. */
function describeChange(event: EngineEvent, now: number): string | undefined {
  switch (event.type) {
    case 'offline':
      return outageWordings(outageOf(event, now), now)[0];
    case 'online':
      return `online again after ${formatDuration(event.outageMs / 1000)} (${event.what})`;
    case 'healed':
      return `the store lost ${formatSize(event.lostBytes)} of the stored parts; sending them again under the same session`;
    case 'rereading':
      return REREADING[event.reason];
    case 'verifying':
      return `comparing ${formatSize(event.totalBytes)} of stored parts with the file`;
    case 'paused':
      return 'paused: parts on the wire finish, no new one begins; to go on: partway continue';
    case 'resumed':
      return 'going on after a pause';
    case 'limit':
      return `limit from now on: ${formatLimit(event.bytesPerSecond)}`;
    case 'replanned':
      return `parts of ${formatSize(event.session.partSize)} from now on: ${event.reason}`;
    case 'finishing':
      return phaseWordings({ name: 'finishing' }, now)[0];
    case 'session':
    case 'progress':
    case 'notice':
    case 'part':
    case 'retry':
      return undefined;
  }
}
