import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const LINGER_MS = 500;

/**
 * Closes the connection of a client that was answered before its whole request arrived in two steps: first the server's side, then, a moment
 * later, all of it. If it were closed at once, TCP would reset it because of the bytes that still arrive, and the client could lose the answer.
 */
export function lingerAtClose(server: Server): void {
  const lingering = new WeakSet<Socket>();
  server.on('request', ({ socket }) => {
    if (lingering.has(socket)) return;
    lingering.add(socket);
    // Node calls this after the last answer of a connection.
    socket.destroySoon = () => closeLingering(socket);
  });
}

/** Closes a socket in two steps. The existing reader of the socket reads and drops what arrives meanwhile. */
export function closeLingering(socket: Socket, lastWords?: string): void {
  if (lastWords === undefined) socket.end();
  else socket.end(lastWords);
  const waiting = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(waiting));
}
