import { setTimeout } from 'node:timers/promises';
import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { Progress } from '../../contract/wire.ts';
import { isUploadError } from '../../session/errors.ts';
import { isTerminal } from '../../session/machine.ts';
import type { Log } from '../core/deps.ts';

/** Lets an event reach a watcher within 1 s of a change; a query of the session store by primary key costs microseconds. */
const POLL_MS = 500;
/** How soon a watcher reconnects after a stop: by then a balancer sends it to another replica. */
const RECONNECT_MS = 1_000;
/** Proxies close connections that stay silent, most after 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000;

/** Ends the stream of a revoked token within five seconds; a check at each poll would cost more than the poll. */
const CHECK_TOKEN_EVERY_MS = 3_000;

/** A stream's source and its watcher. */
export interface StreamSource {
  readonly first: Progress;
  /** Returns the progress as it is now, or was a moment ago. */
  next(): Promise<Progress>;
  /** @throws UploadError if the watcher may not watch any longer. */
  authenticateAgain(): Promise<unknown>;
  /** Called once, when the stream has ended. */
  onEnd(): void;
}

export interface StreamOptions {
  /** Aborts when the server is about to stop: the watcher is asked to reconnect, and the stream ends. */
  readonly shutdown: AbortSignal;
  readonly log: Log;
  readonly keepAliveMs?: number | undefined;
}

/** Sends progress as Server-Sent Events: one at once, one for each change, the last when the session ends. */
export function streamProgress(
  context: Context,
  { first, next, authenticateAgain, onEnd }: StreamSource,
  { shutdown, log, keepAliveMs = KEEP_ALIVE_MS }: StreamOptions,
): Response {
  return streamSSE(context, async (stream) => {
    const closed = new AbortController();
    stream.onAbort(() => closed.abort());
    try {
      await writeUntilEnd(stream, AbortSignal.any([closed.signal, shutdown]));
      if (shutdown.aborted && !closed.signal.aborted) await askToReconnect(stream);
    } catch (error) {
      // The token was revoked or has expired: the watcher learns that when it asks again.
      if (isUploadError(error)) return;
      // The watcher asks again and gets a problem document; Hono would print the error and send its message.
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
      await sleep(POLL_MS, stop);
      if (stop.aborted) return;
      if (Date.now() - authenticatedAt < CHECK_TOKEN_EVERY_MS) continue;
      await authenticateAgain();
      authenticatedAt = Date.now();
    }
  }
}

/** Programs read the event; an EventSource reads `retry` and reconnects by itself at the end of the stream. */
function askToReconnect(stream: SSEStreamingApi): Promise<void> {
  return stream.writeSSE({ event: 'reconnect', data: JSON.stringify({ afterMs: RECONNECT_MS }), retry: RECONNECT_MS });
}

/** Ends early, without an error, when `stop` aborts. */
async function sleep(ms: number, stop: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}
