import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const LINGER_MS = 500;

/**
 * Closes the connection of a client that was answered before its request came whole in two steps: first our side, then, a moment
 * later, all of it. Closed at once, TCP resets it for what is still coming, and the client may lose the answer that says why.
 */
export function lingerAtClose(server: Server): void {
  const lingering = new WeakSet<Socket>();
  server.on('request', ({ socket }) => {
    if (lingering.has(socket)) return;
    lingering.add(socket);
    // What Node calls after the last answer of a connection.
    socket.destroySoon = () => closeLingering(socket);
  });
}

/** What comes meanwhile is read and dropped by whoever reads the socket already. */
export function closeLingering(socket: Socket, lastWords?: string): void {
  if (lastWords === undefined) socket.end();
  else socket.end(lastWords);
  const waiting = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(waiting));
}
