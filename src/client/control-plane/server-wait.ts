import { isUploadError, UploadError } from '../../session/errors.ts';
import { startAwakeClock } from '../network/awake-clock.ts';
import { createLink } from '../network/link.ts';
import { probeServer } from '../network/probes.ts';
import type { EngineEvent } from '../progress/events.ts';
import { createWallTimes } from '../progress/wall-times.ts';
import type { ControlPlane } from './control-plane.ts';
import { createRefusals } from './refusals.ts';
import { DEFAULT_MAX_OUTAGE_MS, throughOutages, untilAllowed } from './retry.ts';

/** Statuses of a gateway while the server behind it is away, or while it limits requests. */
const PASSING_STATUSES = [408, 425, 429];

export interface ServerWaitOptions {
  readonly controlPlane: ControlPlane;
  readonly signal: AbortSignal;
  /** Default 24 h, as during a run. */
  readonly maxOutageMs?: number | undefined;
  /** Receives `offline` and `online`, whose `what` names the server's address. */
  readonly onEvent?: ((event: EngineEvent) => void) | undefined;
}

/**
 * Repeats a call outside of a run, at first contact or between two files, until the control plane answers. The call must be safe
 * to repeat. @throws UploadError the server's refusal; `OUTAGE_TOO_LONG`; `SERVER_UNREACHABLE` at once where another program
 * answers at an address that never was a partway server's during this run: that is a wrong URL, not an outage.
 */
export function createServerWait({
  controlPlane,
  signal,
  maxOutageMs = DEFAULT_MAX_OUTAGE_MS,
  onEvent = () => {},
}: ServerWaitOptions) {
  const what = `the partway server at ${controlPlane.server}`;
  const endsAtOnce = (error: UploadError) =>
    error.code === 'RATE_LIMITED' || (!controlPlane.isPartway && isAnotherProgram(error));

  return async <Result>(call: () => Promise<Result>): Promise<Result> => {
    const { now, stop } = startAwakeClock();
    const withWallTimes = createWallTimes(now, Date.now);
    const notify = (event: EngineEvent) => onEvent(withWallTimes(event));
    const probe = (probeSignal: AbortSignal) => probeServer(controlPlane, probeSignal);
    const hasAnswered = () => controlPlane.hasAnswered;
    const link = createLink({ what, probe, hasAnswered, maxOutageMs, onEvent: notify, now });
    const newRefused = createRefusals({ what, onEvent: notify, now });
    const waiting = { link, signal, maxOutageMs, now, random: Math.random, endsAtOnce };
    try {
      // A rate limit has a shorter patience of its own.
      return await untilAllowed(() => throughOutages(call, { ...waiting, refused: newRefused() }), signal, { now });
    } catch (error) {
      throw isUploadError(error, 'OUTAGE_TOO_LONG') && !controlPlane.isPartway ? neverAnswered(error) : error;
    } finally {
      stop();
    }
  };
}
export type ServerWait = ReturnType<typeof createServerWait>;

/** Whether another program answered: no gateway answers like this for a server that is away. */
function isAnotherProgram({ code, facts: { httpStatus } }: UploadError): boolean {
  if (code !== 'SERVER_UNREACHABLE' || typeof httpStatus !== 'number') return false;
  return httpStatus < 500 && !PASSING_STATUSES.includes(httpStatus);
}

function neverAnswered({ code, detail, facts }: UploadError): UploadError {
  return new UploadError(code, detail, {
    facts,
    hint: 'Check that PARTWAY_SERVER names the server and that `partway serve` runs there; then run the same command again.',
  });
}
