import { serverAdviceAbout } from '../../outbound/certificate-refusal.ts';
import { codeOf, explainConnectionError, isConnectionError, refusedCertificate } from '../../outbound/connection-errors.ts';
import type { Instant } from '../../session/session.ts';
import type { WebhookEvent } from '../../session/webhook-event.ts';
import type { Outbox } from '../../session-store/port/outbox.ts';
import type { Log } from '../core/deps.ts';
import { askedForMs, nextAttemptAt } from './backoff.ts';
import type { Sign } from './message.ts';
import type { Post, WebhookAnswer } from './post.ts';

/** Called after each attempt that a stopping server did not cut off. `dead`: it failed and was the last one. */
export type DeliveryListener = (attempt: { readonly outcome: 'delivered' | 'failed' | 'dead'; readonly ms: number }) => void;

/** How long an attempt waits for the headers of the answer. */
export const ATTEMPT_TIMEOUT_MS = 15_000;
const GONE = 410;
const ASK_TO_WAIT = [429, 503];

export interface DeliveryDeps {
  readonly outbox: Outbox;
  readonly sign: Sign;
  readonly post: Post;
  readonly now: () => Instant;
  /** Returns a number from 0 to below 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly onAttempt: DeliveryListener;
}

export interface Outcome {
  readonly delivered: boolean;
  /** The failure in a few words, without secrets; undefined where the event was delivered, or the server is about to stop. */
  readonly error?: string;
  /** How long the receiver asked not to be sent anything; 0 if it did not ask. */
  readonly askedMs: number;
}

/** Sends a leased event once and records the outcome. `stop` cuts the attempt off: the lease ends, and the event is due at once. */
export async function deliver(
  deps: DeliveryDeps,
  event: WebhookEvent,
  stop: AbortSignal,
  timeoutMs = ATTEMPT_TIMEOUT_MS,
): Promise<Outcome> {
  const { outbox, now, onAttempt } = deps;
  const startedAt = performance.now();
  const result = await attempt(deps, event, stop, timeoutMs);
  const ms = performance.now() - startedAt;
  if (result === 'stopped') {
    await outbox.postpone(event, now(), 'the server stopped during the attempt');
    return { delivered: false, askedMs: 0 };
  }
  const { status, retryAfter, error } = result;
  if (error === undefined) {
    onAttempt({ outcome: 'delivered', ms });
    await outbox.markDelivered(event, now());
    return { delivered: true, askedMs: 0 };
  }
  const askedMs = ASK_TO_WAIT.includes(status) ? askedForMs(retryAfter, now()) : 0;
  const next = status === GONE ? undefined : nextAttemptAt(event, now(), deps.random(), askedMs);
  onAttempt({ outcome: next === undefined ? 'dead' : 'failed', ms });
  if (next === undefined) await markDead(deps, event, error);
  else await outbox.postpone(event, next, error);
  return { delivered: false, error, askedMs };
}

type AttemptResult = WebhookAnswer & { readonly error: string | undefined };

async function attempt(
  { sign, post, now, log }: DeliveryDeps,
  event: WebhookEvent,
  stop: AbortSignal,
  timeoutMs: number,
): Promise<AttemptResult | 'stopped'> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await post(sign(event, now()), AbortSignal.any([stop, timeout]));
    return { ...answer, error: faultOf(answer) };
  } catch (error) {
    if (stop.aborted) return 'stopped';
    if (timeout.aborted) return failed(`no answer within ${timeoutMs / 1_000} s`);
    if (isConnectionError(error)) return failed(describeFailure(error as Error));
    log.error({ eventId: event.eventId, err: error }, 'an event could not be sent because of an unexpected error');
    return failed('an error in the server; its log has it');
  }
}

/** Describes a failed connection without the error's own words, which may name the receiver: its URL can be a secret. */
function describeFailure(error: Error): string {
  const certificate = refusedCertificate(error);
  const advice = certificate === undefined ? '' : `. ${serverAdviceAbout(certificate)}`;
  return `${explainConnectionError(error) ?? codeOf(error) ?? 'the connection failed'}${advice}`;
}

function failed(error: string): AttemptResult {
  return { status: 0, retryAfter: undefined, error };
}

function faultOf({ status }: WebhookAnswer): string | undefined {
  if (status >= 200 && status < 300) return undefined;
  return status >= 300 && status < 400 ? `HTTP ${status}: redirects are not followed` : `HTTP ${status}`;
}

async function markDead({ outbox, now, log }: DeliveryDeps, event: WebhookEvent, error: string): Promise<void> {
  const { eventId, type, attempts, session } = event;
  await outbox.markDead(event, now(), error);
  log.warn(
    { eventId, type, sessionId: session.sessionId, attempts, error },
    'event is dead; partway events replay sends it again',
  );
}
