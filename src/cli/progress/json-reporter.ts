import type { EngineEvent, UploadResult } from '../../client/progress/events.ts';
import { type ExplainedError, errorLine } from '../errors/error-text.ts';
import type { CliContext } from '../terminal/context.ts';
import type { BeginningUpload, Reporter, StrategyReport } from './reporter.ts';

const PROGRESS_EVERY_MS = 1_000;

/**
 * Writes one JSON object a line to stdout, each with a `type`; the last of every file is a `summary` or an `error`. Fields and types are
 * only ever added. Everything for people goes to `human` as well.
 */
export class JsonReporter implements Reporter {
  readonly #context: CliContext;
  readonly #human: Reporter;
  #lastProgressAt = Number.NEGATIVE_INFINITY;

  constructor(context: CliContext, human: Reporter) {
    this.#context = context;
    this.#human = human;
  }

  begin(upload: BeginningUpload): void {
    this.#lastProgressAt = Number.NEGATIVE_INFINITY;
    this.#write({ type: 'session', created: upload.created, session: upload.session });
    this.#human.begin(upload);
  }

  strategy(report: StrategyReport): void {
    this.#write({ type: 'strategy', ...report });
    this.#human.strategy(report);
  }

  event(event: EngineEvent): void {
    this.#human.event(event);
    // `begin` has written it, with more details.
    if (event.type === 'session') return;
    if (event.type === 'progress' && !this.#isProgressDue()) return;
    this.#write(event);
  }

  waiting(event: EngineEvent, maxOutageMs: number | undefined): void {
    this.#human.waiting(event, maxOutageMs);
    this.#write(event);
  }

  notTried(paths: readonly string[]): void {
    this.#human.notTried(paths);
    for (const path of paths) this.#write({ type: 'not-tried', path });
  }

  warn(message: string): void {
    this.#write({ type: 'warning', message });
    this.#human.warn(message);
  }

  note(message: string): void {
    this.#human.note(message);
  }

  end(): void {
    this.#human.end();
  }

  done(result: UploadResult, name: string): void {
    this.#human.done(result, name);
    this.#write({ type: 'summary', ...result });
  }

  fail(error: ExplainedError, sessionId: string | undefined): void {
    this.#human.fail(error, sessionId);
    this.#write(errorLine(error, sessionId));
  }

  #isProgressDue(): boolean {
    const now = this.#context.now();
    // A clock that was set back must not silence it.
    if (Math.abs(now - this.#lastProgressAt) < PROGRESS_EVERY_MS) return false;
    this.#lastProgressAt = now;
    return true;
  }

  #write(line: object): void {
    this.#context.stdout.write(`${JSON.stringify(line)}\n`);
  }
}
