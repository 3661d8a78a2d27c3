import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { Progress } from '../contract/wire.ts';
import { isTerminal } from '../session/machine.ts';
import type { UploadService } from './service.ts';

/** An event reaches a watcher within 1 s of a change; asking the session store by primary key costs microseconds. */
const POLL_MS = 500;
/** Proxies close connections that stay silent, most after 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000;

/** Progress as Server-Sent Events: one at once, one for each change, the last when the session ends. */
export function streamProgress(
  context: Context,
  service: UploadService,
  sessionId: string,
  first: Progress,
  shutdown: AbortSignal,
): Response {
  context.header('cache-control', 'no-store');
  return streamSSE(context, async (stream) => {
    const closed = new AbortController();
    stream.onAbort(() => closed.abort());
    const stop = AbortSignal.any([closed.signal, shutdown]);
    let shown = '';
    let quietSince = Date.now();
    for (let progress = first; ; progress = await service.progress(sessionId)) {
      const text = JSON.stringify(progress);
      if (text !== shown) {
        await stream.writeSSE({ event: 'progress', data: text });
        shown = text;
        quietSince = Date.now();
      } else if (Date.now() - quietSince >= KEEP_ALIVE_MS) {
        await stream.write(': keep-alive\n\n');
        quietSince = Date.now();
      }
      if (isTerminal(progress.status) || stop.aborted) return;
      await pause(stream, stop);
      if (stop.aborted) return;
    }
  });
}

function pause(stream: SSEStreamingApi, stop: AbortSignal): Promise<unknown> {
  return Promise.race([stream.sleep(POLL_MS), new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }))]);
}
