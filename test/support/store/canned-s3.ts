import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createS3ObjectStore, type S3ObjectStoreOptions } from '../../../src/object-store/s3.ts';
import type { S3Store } from './s3-stores.ts';

export interface CannedS3 {
  readonly store: S3Store;
  /** The requests that have arrived so far. */
  readonly requests: IncomingMessage[];
}

/**
 * Starts a server for answers that a real MinIO does not give on demand: overload, other stores' errors, a proxy's page, a broken
 * connection. Each request goes to the next handler, and all later ones to the last handler. Closed when the test ends.
 */
export function cannedS3(...handlers: RequestListener[]): Promise<CannedS3> {
  return cannedS3With({}, ...handlers);
}

/** Does the same as `cannedS3`, for an adapter with these options. */
export async function cannedS3With(options: Partial<S3ObjectStoreOptions>, ...handlers: RequestListener[]): Promise<CannedS3> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const handler = handlers[Math.min(requests.length, handlers.length - 1)];
    requests.push(request);
    request.resume().on('end', () => handler?.(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const account = {
    endpoint,
    publicEndpoint: endpoint,
    region: 'us-east-1',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'secret-example',
  };
  const store = createS3ObjectStore({ ...account, bucket: 'b', ...options });
  onTestFinished(() => {
    store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, requests };
}

export function answer(status: number, body = '', headers: Record<string, string> = {}): RequestListener {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/xml', ...headers });
    response.end(body);
  };
}

export function s3Error(code: string, message = 'in the words of the store'): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><Resource>/b/k</Resource></Error>`;
}

export const hangUp: RequestListener = (request) => request.socket.destroy();
