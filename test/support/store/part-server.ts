import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request as it arrived, and how it ended. */
export interface ReceivedPart {
  readonly request: IncomingMessage;
  /** Body bytes read so far, unless the handler does not read. */
  readonly chunks: Buffer[];
  /** Resolves when the request is over: whether its body came whole. */
  readonly over: Promise<{ complete: boolean }>;
}

export type PartHandler = (request: IncomingMessage, response: ServerResponse, part: ReceivedPart) => void;

export interface PartServer {
  readonly url: string;
  readonly parts: ReceivedPart[];
  /** Connections that clients opened so far. */
  readonly connections: Socket[];
}

/** What an object store answers to a part that it took: reads the body to its end first. */
export const takePart: PartHandler = (request, response, part) => {
  request.on('data', (chunk: Buffer) => part.chunks.push(chunk));
  request.on('end', () => response.writeHead(200, { etag: '"0123456789abcdef0123456789abcdef"' }).end());
};

/** An HTTP server that does with a PUT whatever the handler says: nothing is read and nothing answered for it. Closed when the test ends. */
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

/** A port of this machine where nobody listens. */
export async function aClosedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
