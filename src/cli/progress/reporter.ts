import type { EngineEvent, UploadResult } from '../../client/progress/events.ts';
import type * as wire from '../../contract/wire.ts';
import type { Strategy } from '../../session/strategy.ts';
import type { ExplainedError } from '../errors/error-text.ts';

export interface BeginningUpload {
  readonly name: string;
  readonly session: wire.Session;
  /** True if this run created the session. */
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

/** Reports an upload to people or programs. The engine never prints, and commands print only through this while an upload runs. */
export interface Reporter {
  begin(upload: BeginningUpload): void;
  strategy(report: StrategyReport): void;
  event(event: EngineEvent): void;
  /** The server is away, or is back, before a file has begun. The command waits for it for `maxOutageMs`. */
  waiting(event: EngineEvent, maxOutageMs: number | undefined): void;
  warn(message: string): void;
  /** A message for people only. */
  note(message: string): void;
  /** Files that an earlier failure left untried, as typed. */
  notTried(paths: readonly string[]): void;
  /** Removes the progress display, so that other text can be printed. Draws nothing until the next `begin`. */
  end(): void;
  done(result: UploadResult, name: string): void;
  fail(error: ExplainedError, sessionId: string | undefined): void;
}
