import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  /** The `<Code>` of an S3 error. */
  readonly code: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Sends one plain HTTP request with exactly these headers (fetch forbids some and adds others), and the body's length unless they name one. */
export function sendRequest(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>> = {},
  body: Uint8Array = new Uint8Array(),
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method, headers: { 'content-length': String(body.length), ...headers }, agent: false },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const received = Buffer.concat(chunks);
          const code = /<Code>(\w+)<\/Code>/.exec(received.toString('latin1'))?.[1];
          resolve({ status: incoming.statusCode ?? 0, code, headers: incoming.headers, body: received });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
