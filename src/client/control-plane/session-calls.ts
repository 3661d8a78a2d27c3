import type { PartsResponse, PlanRequest, PresignRequest, Session, WireStoredPart } from '../../contract/wire.ts';
import { createFreshFlight } from '../../outbound/fresh-flight.ts';
import { isUploadError, UploadError } from '../../session/errors.ts';
import type { Link } from '../network/link.ts';
import { firstAnswer } from './ask-again.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Refused } from './refusals.ts';
import { throughOutages } from './retry.ts';

export interface SessionCallsOptions {
  readonly controlPlane: ControlPlane;
  readonly sessionId: string;
  readonly link: Link;
  /** Begins the refusals of one call. */
  readonly newRefused: () => Refused;
  readonly signal: AbortSignal;
  readonly maxOutageMs: number;
  /** Stands still during pauses and while the host sleeps: neither uses up patience. */
  readonly now: () => number;
}

/** The calls of a run about its session. Each is repeated through outages until there is an answer. */
export function createSessionCalls(options: SessionCallsOptions) {
  const { controlPlane, sessionId, link, newRefused, signal, maxOutageMs, now } = options;
  /** Aborts calls that were sent into an outage: their answers will never come. */
  let renewal = new AbortController();
  const listings = createFreshFlight<PartsResponse>();

  function untilAnswered<Result>(call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    return throughOutages(
      () => {
        // Read again for each try: the last one may have been renewed.
        const renewed = renewal.signal;
        return call(AbortSignal.any([signal, renewed])).catch((error: unknown) => {
          throw renewed.aborted && !signal.aborted ? lostInOutage() : error;
        });
      },
      { link, signal, maxOutageMs, now, random: Math.random, refused: newRefused() },
    );
  }

  /** For calls that may take the store long: a slow answer and a dead connection look alike. */
  function untilSlowlyAnswered<Result>(call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const renewConnections = () => controlPlane.renewConnections();
    return untilAnswered((callSignal) => firstAnswer(call, { signal: callSignal, renewConnections }));
  }

  const parts = () => untilSlowlyAnswered((callSignal) => controlPlane.parts(sessionId, callSignal));

  return {
    session: () => untilAnswered((callSignal) => controlPlane.get(sessionId, callSignal)),
    parts,
    presign: (request: PresignRequest) => untilAnswered((callSignal) => controlPlane.presign(sessionId, request, callSignal)),
    /** Resolves to undefined where the server keeps the plan: parts are stored after all, no such plan is possible, or it is too old. */
    async replan(request: PlanRequest): Promise<Session | undefined> {
      try {
        return await untilAnswered((callSignal) => controlPlane.replan(sessionId, request, callSignal));
      } catch (error) {
        if (isUploadError(error, 'SESSION_PLAN_DIFFERS', 'INVALID_PLAN', 'ROUTE_NOT_FOUND')) return undefined;
        throw error;
      }
    },
    complete: (checksum: string) =>
      untilSlowlyAnswered((callSignal) => controlPlane.complete(sessionId, { checksum }, callSignal)),
    /**
     * Asks the store's own list, when the answer to a part's PUT got lost. A list that is under way may be older than the part, so the
     * parts that ask meanwhile share the next one.
     */
    async findStored(partNumber: number): Promise<WireStoredPart | undefined> {
      return (await listings.run('parts', parts)).parts.find((part) => part.partNumber === partNumber);
    },
    /** Call when the link is back: calls that still wait for an answer from before the outage ask again. */
    renew(): void {
      renewal.abort(new Error('the link was down'));
      renewal = new AbortController();
    },
  };
}
export type SessionCalls = ReturnType<typeof createSessionCalls>;

function lostInOutage(): UploadError {
  return new UploadError('SERVER_UNREACHABLE', 'The answer got lost in an outage.', { facts: { reason: 'the link was down' } });
}
