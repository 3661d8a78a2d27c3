import * as http from 'node:http';
import * as https from 'node:https';
import { directAgent } from '../../outbound/direct-agent.ts';
import type { Message } from './message.ts';

export interface WebhookAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** @throws what the connection threw, or the signal's reason. */
export type Post = (message: Message, signal: AbortSignal) => Promise<WebhookAnswer>;

/** What comes after the headers is read and thrown away, so that the connection can be used again; a long body is not worth it. */
const MOST_BODY_BYTES = 4_096;

/** To one URL, without following redirects. Close it, and its connections are gone. */
export function createPost(url: string): { readonly post: Post; close(): void } {
  const { request } = url.startsWith('https:') ? https : http;
  const agent = directAgent(url, { keepAlive: true });

  /** The headers decide: whoever takes an event and then never ends its body has taken it. */
  function exchange({ headers, body }: Message, signal: AbortSignal): Promise<WebhookAnswer> {
    return new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(body)) };
      const sending = request(url, { method: 'POST', headers: { ...headers, ...length }, agent, signal }, (response) => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
        discard(response);
      });
      sending.on('error', (error) => {
        if (signal.aborted) reject(signal.reason);
        else reject(isStale(sending, error) ? new StaleConnection() : error);
      });
      sending.end(body);
    });
  }

  return {
    async post(message, signal) {
      for (;;) {
        try {
          return await exchange(message, signal);
        } catch (error) {
          // Each is gone after it has failed, so this ends with a new one.
          if (!(error instanceof StaleConnection)) throw error;
        }
      }
    },
    close: () => agent.destroy(),
  };
}

/** Kept from before, and closed by the receiver just when it was used again. */
class StaleConnection extends Error {}

function isStale(request: http.ClientRequest, error: NodeJS.ErrnoException): boolean {
  return request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function discard(response: http.IncomingMessage): void {
  let bytes = 0;
  response.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > MOST_BODY_BYTES) response.destroy();
  });
  // The answer has been taken already.
  response.on('error', () => {});
}
