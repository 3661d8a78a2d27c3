import type { EngineEvent, UploadResult } from '../../client/progress/events.ts';
import type * as wire from '../../contract/wire.ts';
import type { Strategy } from '../../session/strategy.ts';
import type { ExplainedError } from '../errors/error-text.ts';

export interface BeginningUpload {
  readonly name: string;
  readonly session: wire.Session;
  /** Whether this run made the session. */
  readonly created: boolean;
}

/** `reason` completes the sentence "strategy: …, because ". */
export interface StrategyReport {
  readonly strategy: Strategy;
  readonly network: string | undefined;
  readonly reason: string;
  readonly partSize: number;
  readonly partCount: number;
}

/** Tells people or programs how an upload goes. The engine never prints; commands print through this alone while one runs. */
export interface Reporter {
  begin(upload: BeginningUpload): void;
  strategy(report: StrategyReport): void;
  event(event: EngineEvent): void;
  /** Before a file has begun: the server is away, or is back. `maxOutageMs` is how long the command waits for it. */
  waiting(event: EngineEvent, maxOutageMs: number | undefined): void;
  warn(message: string): void;
  /** News for people only. */
  note(message: string): void;
  /** Files of the command that an earlier failure left untried, as they were typed. */
  notTried(paths: readonly string[]): void;
  /** Takes the progress display away, so that other text can be printed. Nothing is drawn after it until the next `begin`. */
  end(): void;
  done(result: UploadResult, name: string): void;
  fail(error: ExplainedError, sessionId: string | undefined): void;
}
