import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../core/deps.ts';

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/**
 * Lets a connection have one request at a time. Node takes up all that came at once, thousands in a few packets, and works on them
 * after the client has gone. Neither our clients nor proxies send a request before the last one is answered (RFC 9112, section
 * 9.3.2, lets them), so who does loses the connection, the earlier request with it: to queue would be to keep them all.
 */
export function oneAtATime(handle: Listener, log: Log): Listener {
  const latest = new WeakMap<Socket, ServerResponse>();
  return function handleOne(request, response) {
    const { socket } = request;
    // What else came in the same packet, or from somebody who has gone.
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
