import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request, its body so far and its end. */
export interface ReceivedPart {
  readonly request: IncomingMessage;
  /** The chunks of the body that the handler has read so far. */
  readonly chunks: Buffer[];
  /** Resolves when the request ends: `complete` if its whole body arrived. */
  readonly over: Promise<{ complete: boolean }>;
}

export type PartHandler = (request: IncomingMessage, response: ServerResponse, part: ReceivedPart) => void;

export interface PartServer {
  readonly url: string;
  readonly parts: ReceivedPart[];
  /** The connections that clients have opened so far. */
  readonly connections: Socket[];
}

/** Reads the whole body and answers as an object store that has stored the part. */
export const takePart: PartHandler = (request, response, part) => {
  request.on('data', (chunk: Buffer) => part.chunks.push(chunk));
  request.on('end', () => response.writeHead(200, { etag: '"0123456789abcdef0123456789abcdef"' }).end());
};

/** Starts an HTTP server that leaves PUTs to the handler: it neither reads nor answers them itself. Closed when the test ends. */
export async function startPartServer(handler: PartHandler): Promise<PartServer> {
  const parts: ReceivedPart[] = [];
  const connections: Socket[] = [];
  const server = createServer((request, response) => {
    const over = new Promise<{ complete: boolean }>((resolve) => {
      request.on('close', () => resolve({ complete: request.complete }));
    });
    request.on('error', () => {});
    const part: ReceivedPart = { request, chunks: [], over };
    parts.push(part);
    handler(request, response, part);
  });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    connections.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket/key?partNumber=1`, parts, connections };
}

/** Returns a port of this host on which nothing listens. */
export async function aClosedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
