import type { ReportRequest } from '../../contract/wire.ts';
import { isProgrammingError, isUploadError } from '../../session/errors.ts';
import type { SentPart } from '../part/part-sender.ts';
import type { ProgressCounter } from '../progress/progress-counter.ts';

/** Observers of the session see a change at most this late. */
const REPORT_EVERY_MS = 1_000;
const LAST_REPORT_MS = 2_000;

/**
 * Reports to the control plane what is stored and in flight, for clients that watch the session. A lost report costs nothing but
 * their view: the next one carries its parts. The server's answer may end the upload: another client took over, or it was aborted.
 */
export function startProgressSender(options: {
  readonly clientId: string;
  readonly counter: ProgressCounter;
  readonly send: (report: ReportRequest, signal: AbortSignal) => Promise<unknown>;
  readonly onEnded: (error: Error) => void;
}) {
  const { clientId, counter, send, onEnded } = options;
  let unreported: SentPart[] = [];
  let sending: Promise<void> | undefined;
  const closing = new AbortController();

  async function report(inFlight: boolean): Promise<void> {
    const parts = unreported;
    unreported = [];
    const { inFlightBytes, bytesPerSecond } = counter.figures();
    try {
      await send(
        {
          clientId,
          parts: parts.map(({ partNumber, etag, checksum }) => ({ partNumber, etag, checksum })),
          inFlightBytes: inFlight ? inFlightBytes : 0,
          bytesPerSecond: inFlight ? bytesPerSecond : 0,
        },
        closing.signal,
      );
    } catch (error) {
      unreported = [...parts, ...unreported];
      if (endsUpload(error)) onEnded(error as Error);
    }
  }

  function tick(): void {
    sending ??= report(true).finally(() => {
      sending = undefined;
    });
  }

  // The first report makes this client the one that sends.
  tick();
  const ticking = setInterval(tick, REPORT_EVERY_MS);
  return {
    partStored(part: SentPart): void {
      unreported.push(part);
    },
    /** Call before the store is asked what it still holds: no report of what it held before may come after its answer. */
    async startOver(): Promise<void> {
      await sending;
      unreported = [];
    },
    /** Sends what is left. Never throws: the parts are stored whether or not they are reported. */
    async stop(): Promise<void> {
      clearInterval(ticking);
      // A server out of reach must not hold up the end.
      const timer = setTimeout(() => closing.abort(new Error('no time left to report')), LAST_REPORT_MS);
      await sending;
      await report(false);
      clearTimeout(timer);
    },
  };
}
export type ProgressSender = ReturnType<typeof startProgressSender>;

function endsUpload(error: unknown): boolean {
  return isUploadError(error, 'CLIENT_REPLACED', 'SESSION_NOT_FOUND') || wasAborted(error) || isProgrammingError(error);
}

function wasAborted(error: unknown): boolean {
  return (
    isUploadError(error, 'SESSION_NOT_OPEN') && ['aborting', 'aborted', 'expired'].includes(String(error.facts.sessionStatus))
  );
}
