import * as http from 'node:http';
import * as https from 'node:https';
import { noteConnectionError } from '../../outbound/connection-errors.ts';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import type { Message } from './message.ts';

export interface WebhookAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** @throws what the connection reported, noted as such, or the signal's reason. */
export type Post = (message: Message, signal: AbortSignal) => Promise<WebhookAnswer>;

/** What comes after the headers is read and thrown away, so that the connection can be used again; a long body is not worth it. */
const MOST_BODY_BYTES = 4_096;

/** To one URL, without following redirects. Close it, and its connections are gone. */
export function createPost(url: string, makeAgent: MakeAgent = directAgent): { readonly post: Post; close(): void } {
  const { request } = url.startsWith('https:') ? https : http;
  const agent = makeAgent(url, { keepAlive: true });

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
        // Kept from before, and closed by the receiver just when it was used again.
        else reject(sending.reusedSocket ? new StaleConnection() : noteConnectionError(error));
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

/** A kept connection failed: a new one may be fine. */
class StaleConnection extends Error {}

function discard(response: http.IncomingMessage): void {
  let bytes = 0;
  response.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > MOST_BODY_BYTES) response.destroy();
  });
  // The answer has been taken already.
  response.on('error', () => {});
}
