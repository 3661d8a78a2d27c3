import { setTimeout } from 'node:timers/promises';
import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { Progress } from '../../contract/wire.ts';
import { isUploadError } from '../../session/errors.ts';
import { isTerminal } from '../../session/machine.ts';
import type { Log } from '../core/deps.ts';

/** An event reaches a watcher within 1 s of a change; asking the session store by primary key costs microseconds. */
const POLL_MS = 500;
/** How soon a watcher comes back after a stop, in milliseconds: by then a balancer sends him to another replica. */
const RECONNECT_MS = 1_000;
/** Proxies close connections that stay silent, most after 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000;

/** A revoked token's stream ends within five seconds; looking at each poll would cost more than the poll. */
const LOOK_AT_TOKEN_EVERY_MS = 3_000;

/** What a stream shows, and to whom. */
export interface Watch {
  readonly first: Progress;
  /** The progress now, or a moment ago. */
  next(): Promise<Progress>;
  /** @throws UploadError for who may not watch any longer. */
  authenticateAgain(): Promise<unknown>;
  /** Called once, when the stream has ended. */
  onEnd(): void;
}

export interface StreamOptions {
  /** Aborts when the server is about to stop: the watcher is told to come back, and the stream ends. */
  readonly shutdown: AbortSignal;
  readonly log: Log;
  readonly keepAliveMs?: number | undefined;
}

/** Progress as Server-Sent Events: one at once, one for each change, the last when the session ends. */
export function streamProgress(
  context: Context,
  { first, next, authenticateAgain, onEnd }: Watch,
  { shutdown, log, keepAliveMs = KEEP_ALIVE_MS }: StreamOptions,
): Response {
  return streamSSE(context, async (stream) => {
    const closed = new AbortController();
    stream.onAbort(() => closed.abort());
    try {
      await writeUntilEnd(stream, AbortSignal.any([closed.signal, shutdown]));
      if (shutdown.aborted && !closed.signal.aborted) await tellToReconnect(stream);
    } catch (error) {
      // Revoked or expired while it ran: whoever asks again is told so.
      if (isUploadError(error)) return;
      // The watcher asks again and gets a proper answer; Hono would print the error and send its message.
      log.error({ sessionId: first.sessionId, err: error }, 'a progress stream broke');
    } finally {
      onEnd();
    }
  });

  async function writeUntilEnd(stream: SSEStreamingApi, stop: AbortSignal): Promise<void> {
    let shown = '';
    let quietSince = Date.now();
    let authenticatedAt = Date.now();
    for (let progress = first; ; progress = await next()) {
      const text = JSON.stringify(progress);
      if (text !== shown) {
        await stream.writeSSE({ event: 'progress', data: text });
        shown = text;
        quietSince = Date.now();
      } else if (Date.now() - quietSince >= keepAliveMs) {
        await stream.write(': keep-alive\n\n');
        quietSince = Date.now();
      }
      if (isTerminal(progress.status)) return;
      await pause(POLL_MS, stop);
      if (stop.aborted) return;
      if (Date.now() - authenticatedAt < LOOK_AT_TOKEN_EVERY_MS) continue;
      await authenticateAgain();
      authenticatedAt = Date.now();
    }
  }
}

/** The event is for programs; an EventSource reads `retry` and comes back by itself, told by the end of the stream. */
function tellToReconnect(stream: SSEStreamingApi): Promise<void> {
  return stream.writeSSE({ event: 'reconnect', data: JSON.stringify({ afterMs: RECONNECT_MS }), retry: RECONNECT_MS });
}

/** Ends early, without an error, when `stop` aborts. */
async function pause(ms: number, stop: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}
