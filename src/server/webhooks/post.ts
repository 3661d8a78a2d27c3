import * as http from 'node:http';
import * as https from 'node:https';
import { noteConnectionError } from '../../outbound/connection-errors.ts';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import type { Message } from './message.ts';

export interface WebhookAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Posts one message. @throws the connection's error, noted as such (`isConnectionError`), or the signal's reason. */
export type Post = (message: Message, signal: AbortSignal) => Promise<WebhookAnswer>;

/** Longest body of an answer that is read (and dropped), so that the connection can be used again. Beyond that, the connection is closed. */
const MOST_BODY_BYTES = 4_096;

/** Makes a function that posts to one URL, without following redirects. `close` ends its connections. */
export function createPost(url: string, makeAgent: MakeAgent = directAgent): { readonly post: Post; close(): void } {
  const { request } = url.startsWith('https:') ? https : http;
  const agent = makeAgent(url, { keepAlive: true });

  /** Resolves with the headers: a receiver that accepts an event and then never ends its body has accepted it. */
  function exchange({ headers, body }: Message, signal: AbortSignal): Promise<WebhookAnswer> {
    return new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(body)) };
      const sending = request(url, { method: 'POST', headers: { ...headers, ...length }, agent, signal }, (response) => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
        discard(response);
      });
      sending.on('error', (error) => {
        if (signal.aborted) reject(signal.reason);
        // A kept connection, which the receiver closed just when it was used again.
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
          // A stale connection is gone after its failure, so the loop ends with a new one.
          if (!(error instanceof StaleConnection)) throw error;
        }
      }
    },
    close: () => agent.destroy(),
  };
}

/** A kept connection failed, but a new one may work. */
class StaleConnection extends Error {}

function discard(response: http.IncomingMessage): void {
  let bytes = 0;
  response.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > MOST_BODY_BYTES) response.destroy();
  });
  // The status has been used already.
  response.on('error', () => {});
}
