import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** As a receiver reads it. */
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

/** A webhook on loopback that does as it is told. */
export class WebhookReceiver {
  /** In the order in which they came, answered or not. */
  readonly received: Received[] = [];
  /** What it answers now; may be changed at any time. */
  respond: Respond = TAKES;
  readonly #server = createServer((request, response) => void this.#take(request, response));
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

  /** Resolves once what was received satisfies `isEnough`. */
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

  /** With its connections. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const received = { headers: request.headers, body };
    this.received.push(received);
    this.respond(response, received);
    for (const look of [...this.#waiting]) look();
  }
}

/** With the library's own check. @throws where the signature is not right */
export function verify({ headers, body }: Received, secret: string): Told {
  const told = new Webhook(secret).verify(body, headers as Record<string, string>) as Omit<Told, 'id'>;
  return { id: String(headers['webhook-id']), ...told };
}
