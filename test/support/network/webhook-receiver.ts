import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A webhook event as a receiver reads it. */
export interface Told {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: {
    readonly sessionId: string;
    readonly sequence: number;
    readonly key: string;
    readonly [field: string]: unknown;
  };
}

export type Respond = (response: ServerResponse, received: Received) => void;
export const TAKES: Respond = (response) => response.writeHead(204).end();
export const answersWith =
  (status: number, headers: Record<string, string> = {}): Respond =>
  (response) =>
    response.writeHead(status, headers).end();
export const NEVER_ANSWERS: Respond = () => {};

/** A webhook receiver on loopback whose responses a test chooses. */
export class WebhookReceiver {
  /** All requests in the order of their arrival, answered or not. */
  readonly received: Received[] = [];
  /** Responds to each request; a test may replace it at any time. */
  respond: Respond = TAKES;
  readonly #server = createServer((request, response) => void this.#receive(request, response));
  readonly #waiting = new Set<() => void>();
  connections = 0;

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    receiver.#server.on('connection', () => {
      receiver.connections += 1;
    });
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once the received requests satisfy `isEnough`. */
  until(isEnough: (received: readonly Received[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isEnough(this.received)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Stops the server and closes its connections. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const received = { headers: request.headers, body };
    this.received.push(received);
    this.respond(response, received);
    for (const look of [...this.#waiting]) look();
  }
}

/** Checks the signature with the library's own code. @throws if the signature is wrong */
export function verify({ headers, body }: Received, secret: string): Told {
  const event = new Webhook(secret).verify(body, headers as Record<string, string>) as Omit<Told, 'id'>;
  return { id: String(headers['webhook-id']), ...event };
}
