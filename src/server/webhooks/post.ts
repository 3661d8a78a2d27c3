import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import { discardBody, startRequest } from '../../outbound/http-exchange.ts';
import type { Message } from './message.ts';

export interface WebhookAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Posts one message. @throws the connection's error, noted as such (`isConnectionError`), or the signal's reason. */
export type Post = (message: Message, signal: AbortSignal) => Promise<WebhookAnswer>;

/** Makes a function that posts to one URL, without following redirects. `close` ends its connections. */
export function createPost(url: string, makeAgent: MakeAgent = directAgent): { readonly post: Post; close(): void } {
  const agent = makeAgent(url, { keepAlive: true });

  /** The head of the answer decides: a receiver that takes an event and then never ends its answer has taken it. */
  async function exchange({ headers, body }: Message, signal: AbortSignal): Promise<WebhookAnswer> {
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const { outgoing, answered } = startRequest(url, { method: 'POST', headers: { ...headers, ...length }, agent, signal });
    // At once, so that the connection is free for the next message as soon as this one was taken.
    outgoing.once('response', discardBody);
    outgoing.end(body);
    try {
      const response = await answered;
      return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] };
    } catch (error) {
      signal.throwIfAborted();
      // Kept from before, and closed by the receiver just when it was used again.
      throw outgoing.reusedSocket ? new StaleConnection() : error;
    }
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
