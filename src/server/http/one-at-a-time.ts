import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../core/deps.ts';

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/**
 * Lets a connection have one request at a time. Node starts all pipelined requests at once, thousands from a few packets, and works on them
 * even after the client has gone. Neither partway clients nor proxies send a request before the last one is answered (RFC 9112, section
 * 9.3.2, allows it), so a pipelining client is disconnected, losing the earlier request too; queueing would mean buffering everything it sends.
 */
export function oneAtATime(handle: Listener, log: Log): Listener {
  const latest = new WeakMap<Socket, ServerResponse>();
  return function handleOne(request, response) {
    const { socket } = request;
    // Another request of the same packet, or of a client that has gone.
    if (socket.destroyed) return;
    const earlier = latest.get(socket);
    if (earlier !== undefined && !earlier.writableFinished) {
      log.info({ address: socket.remoteAddress }, 'connection closed: a request came before the last one was answered');
      socket.destroy();
      return;
    }
    latest.set(socket, response);
    return handle(request, response);
  };
}
